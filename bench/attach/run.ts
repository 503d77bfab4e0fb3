/**
 * What the kernel layer costs on top of the kernel: the same attachments through floor.c and through transactions, in
 * turns, in one run. `npx tsx bench/attach/run.ts [count]`, as root; needs cc and a built package. Everything happens
 * in network and mount namespaces of its own.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Kernel } from 'libcnm/kernel'
import { Floor } from './floor.js'
import { attach, bridge, BRIDGE, detach, unplug } from './operations.js'
import { milliseconds, quantiles, table } from './report.js'

const INSIDE = 'BENCH_INSIDE'
const MANY = 200
/** The kernel removes what is left of namespaces in the background; the next measurement must not meet it. */
const SETTLE = 2000

/** Runs this file again in namespaces of its own. */
function outside(): void {
  const self = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const { status } = spawnSync('unshare', ['--net', '--mount', '--propagation', 'private', ...self], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  process.exitCode = status ?? 1
}

async function inside(count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-attach-'))
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run'])
  try {
    await using kernel = await Kernel.open()
    await kernel.transaction(bridge)
    await using floor = new Floor(BRIDGE, folder)
    // Both find the same ground: the folder for namespaces is there, and code has run before.
    await kernel.transaction(attach(0))
    await kernel.transaction(detach(0))
    await compare(kernel, floor, 50)
    report(await compare(kernel, floor, count))
    await many(kernel, floor)
    await eventLoop(kernel)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

interface Comparison {
  /** The same requests. */
  c: number[]
  /** As ip(8) makes them. */
  plain: number[]
  ours: number[]
}

/** One attachment of each in turn, so that whatever else the machine does meets both alike. */
async function compare(kernel: Kernel, floor: Floor, count: number): Promise<Comparison> {
  const result: Comparison = { c: [], plain: [], ours: [] }
  for (let i = 0; i < count; i++) {
    result.plain.push(await floor.do('plain'))
    result.c.push(await floor.do('attach'))
    result.ours.push(await timed(() => kernel.transaction(attach(i))))
  }
  await floor.do('drop')
  await dropAll(kernel, count)
  await sleep(SETTLE)
  return result
}

function report({ c, plain, ours }: Comparison): void {
  const [a, p, b] = [quantiles(c), quantiles(plain), quantiles(ours)]
  const ratio = (to: number[]): string[] => to.map((value, i) => (b[i]! / value).toFixed(2))
  console.log(`One attachment, ${c.length} of each in turns, milliseconds:`)
  table([
    ['', 'p50', 'p90', 'p99'],
    ['C, the same requests', ...a.map(milliseconds)],
    ['C, a veth pair as ip(8) asks for it', ...p.map(milliseconds)],
    ['libcnm', ...b.map(milliseconds)],
    ['ratio to the same requests', ...ratio(a)],
    ['ratio to those of ip(8)', ...ratio(p)],
  ])
}

async function many(kernel: Kernel, floor: Floor): Promise<void> {
  const rows = [['', 'attached', 'dropped']]
  const measure = async (name: string, attachAll: () => Promise<unknown>, drop: () => Promise<unknown>): Promise<void> => {
    rows.push([name, milliseconds(await timed(attachAll)), milliseconds(await timed(drop))])
    await sleep(SETTLE)
  }
  const indexes = Array.from({ length: MANY }, (_, i) => i)
  const drop = (): Promise<void> => dropAll(kernel, MANY)
  await measure(
    'C',
    () => inTurn(indexes, () => floor.do('attach')),
    () => floor.do('drop'),
  )
  await measure('libcnm, one after the other; drops at once', () => inTurn(indexes, (i) => kernel.transaction(attach(i))), drop)
  await measure('libcnm, all at once', () => Promise.all(indexes.map((i) => kernel.transaction(attach(i)))), drop)
  console.log(`\n${MANY} sandboxes, milliseconds:`)
  table(rows)
}

async function dropAll(kernel: Kernel, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, i) => kernel.transaction(detach(i))))
}

/** Deleting links one by one is the slowest thing there is; the program's own thread must not feel it. */
async function eventLoop(kernel: Kernel): Promise<void> {
  const indexes = Array.from({ length: MANY }, (_, i) => i)
  await inTurn(indexes, (i) => kernel.transaction(attach(i)))
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const took = await timed(() => inTurn(indexes, (i) => kernel.transaction(unplug(i))))
  delay.disable()
  console.log(`\n${MANY} links deleted one by one in ${milliseconds(took)} ms; event-loop delay of the main thread, milliseconds:`)
  const [p50, p99, most] = [delay.percentile(50), delay.percentile(99), delay.max].map((ns) => milliseconds(ns / 1e6))
  table([
    ['p50', 'p99', 'max'],
    [p50!, p99!, most!],
  ])
  await Promise.all(indexes.map((i) => kernel.transaction(detach(i).slice(1))))
}

async function timed(body: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await body()
  return performance.now() - start
}

async function inTurn(indexes: readonly number[], body: (i: number) => Promise<unknown>): Promise<void> {
  for (const i of indexes) await body(i)
}

const [count = 300] = process.argv.slice(2).map(Number)
if (process.env[INSIDE] === '1') await inside(count)
else outside()
