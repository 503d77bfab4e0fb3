/**
 * Published ports: how long publishing takes, how many rules there are, and what a packet costs, with one port and with
 * a thousand, beside netavark where it is installed; then one port more on a host that has published 10,000.
 * `npx tsx bench/ports/run.ts [rounds]`, as root; needs cc, ip, nft and a built package.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { table } from '../attach/report.js'
import { libcnm, oneMore } from './libcnm.js'
import { netavark } from './netavark.js'
import { Scene } from './scene.js'

const INSIDE = 'BENCH_INSIDE'
/** Turns; of each measure the median counts. */
const ROUNDS = Number(process.argv[2] ?? 3)

/** What takes longer is given up, milliseconds. */
export const LIMIT_MS = 60_000

export interface Contender {
  name: string
  /** Takes so long that one round, the last, must do. */
  once?: Shape
  /** Publishes so many ports, in one range or one by one; returns milliseconds for publishing and withdrawing. */
  measure(shape: Shape, scene: Scene): Promise<Measure>
}

export type Shape = 'one port' | '1,000 as one range' | '1,000 one by one'

export interface Measure {
  publish: number
  withdraw: number
  rules: number
  /** Round trips per second: first packets of flows, further ones. */
  first: number
  further: number
}

function outside(): void {
  const self = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const { status } = spawnSync('unshare', ['--net', '--mount', '--propagation', 'private', ...self], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  process.exitCode = status ?? 1
}

async function inside(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-ports-'))
  const scene = new Scene(folder)
  try {
    console.log('libcnm, one port more, milliseconds:')
    table(await oneMore(folder))
    const rows = [['', 'publish ms', 'withdraw ms', 'rules', 'first packets/s', 'further packets/s']]
    if (ROUNDS === 0) return
    const contenders = [libcnm(folder), netavark(folder)].filter((each) => each !== undefined)
    const measured = new Map<string, Measure[]>()
    for (let round = 0; round < ROUNDS; round++) {
      for (const contender of contenders) {
        for (const shape of ['one port', '1,000 as one range', '1,000 one by one'] as const) {
          if (contender.once === shape && round < ROUNDS - 1) continue
          const key = `${contender.name}: ${shape}`
          measured.set(key, [...(measured.get(key) ?? []), await contender.measure(shape, scene)])
        }
      }
    }
    for (const [key, all] of measured) rows.push([key, ...medians(all)])
    table(rows)
    console.log('Docker: not measured (no daemon on this host)')
  } finally {
    scene.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

function medians(all: readonly Measure[]): string[] {
  const median = (field: keyof Measure): number => all.map((each) => each[field]).sort((a, b) => a - b)[all.length >> 1]!
  const time = (field: 'publish' | 'withdraw'): string => (median(field) === Infinity ? `> ${LIMIT_MS}` : median(field).toFixed(1))
  return [time('publish'), time('withdraw'), ...(['rules', 'first', 'further'] as const).map((field) => median(field).toFixed(0))]
}

if (process.env[INSIDE] === undefined) outside()
else await inside()
