import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { takeCensus } from '../census.js'
import { sh } from '../drivers/world.js'
import { needs, needsPrivileges } from '../tools.js'
import { killLoop } from './crash/kill-loop.js'
import { makeLan, removeLan } from './lan.js'

const ROUNDS = Number(process.env.LIBCNM_CRASH_ROUNDS ?? 5)
const SEED = Number(process.env.LIBCNM_CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** More than there are networks in a round. */
const SUBNETS = 200

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('a program with macvlan networks that is killed at any instant', () => {
  beforeAll(() => {
    makeLan()
    // The host has an address in each of the subnets that networks get.
    const commands = Array.from({ length: SUBNETS }, (_, n) => `ip addr add 172.16.${n}.250/32 dev up0`)
    sh('host', 'sh', '-ec', commands.join('\n'))
  })
  afterAll(() => removeLan())

  it(
    'loses nothing that was acknowledged, and leaves nothing behind',
    async () => {
      const stateDir = mkdtempSync(join(tmpdir(), 'cnm-crash-'))
      const workload = fileURLToPath(new URL('crash/macvlan-workload.mjs', import.meta.url))
      const report = await killLoop({ workload, stateDir, instance: 'mcrash', rounds: ROUNDS, seed: SEED, before: await takeCensus() })
      console.log(JSON.stringify({ ...report, seed: SEED }))
      expect(report.acknowledged).toBeGreaterThan(ROUNDS / 2)
      rmSync(stateDir, { recursive: true })
    },
    60_000 + ROUNDS * 20_000,
  )
})
