import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Controller } from 'libcnm'
import { describe, expect, it } from 'vitest'
import { takeCensus } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'
import { killLoop } from './crash/kill-loop.js'

/** LIBCNM_CRASH_ROUNDS=500 for a long run; LIBCNM_CRASH_SEED to see one again. */
const ROUNDS = Number(process.env.LIBCNM_CRASH_ROUNDS ?? 6)
const SEED = Number(process.env.LIBCNM_CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31))

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('a program that is killed at any instant', () => {
  it(
    'loses nothing that was acknowledged, and leaves nothing behind',
    async () => {
      const stateDir = mkdtempSync(join(tmpdir(), 'cnm-crash-'))
      // Forwarding stays on, as documented, and the first named namespace makes its folder a mount.
      const first = await Controller.open({ stateDir, instance: 'crash' })
      const [network, sandbox] = [await first.createNetwork({ name: 'n', enableIPv6: true }), await first.createSandbox({ name: 's' })]
      await sandbox.connect(network)
      await sandbox.delete()
      await network.delete()
      await first.close()
      const before = await takeCensus()
      const workload = fileURLToPath(new URL('crash/bridge-workload.mjs', import.meta.url))
      const report = await killLoop({ workload, stateDir, instance: 'crash', rounds: ROUNDS, seed: SEED, before })
      console.log(JSON.stringify({ ...report, seed: SEED }))
      expect(report.acknowledged).toBeGreaterThan(ROUNDS / 2)
      rmSync(stateDir, { recursive: true })
    },
    60_000 + ROUNDS * 10_000,
  )
})
