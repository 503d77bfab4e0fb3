import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { takeCensus } from '../../census.js'
import { makeLan, removeLan } from '../lan.js'
import { killLoop } from './kill-loop.js'

const SEED = Number(process.env.LIBCNM_CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** More than there are networks in a round. */
const SUBNETS = 200
const ROUND_MS = process.env.VM_RUN === '1' ? 200_000 : 20_000

/** Kills a program again and again that works with networks on a device of the host. */
export function killsOnLan(workload: string, { instance, rounds }: { instance: string; rounds: number }): void {
  beforeAll(() => {
    makeLan()
    // The host has an address in each of the subnets that networks get.
    const input = Array.from({ length: SUBNETS }, (_, n) => `addr add 172.16.${n}.250/32 dev up0\n`).join('')
    execFileSync('ip', ['-batch', '-'], { input })
  })
  afterAll(() => removeLan())

  it(
    'loses nothing that was acknowledged, and leaves nothing behind',
    async () => {
      const stateDir = mkdtempSync(join(tmpdir(), 'cnm-crash-'))
      const path = fileURLToPath(new URL(workload, import.meta.url))
      const report = await killLoop({ workload: path, stateDir, instance, rounds, seed: SEED, before: await takeCensus() })
      console.log(JSON.stringify({ ...report, seed: SEED }))
      expect(report.acknowledged).toBeGreaterThan(rounds / 2)
      rmSync(stateDir, { recursive: true })
    },
    (3 + rounds) * ROUND_MS,
  )
}
