/**
 * What the kernel layer costs on top of the kernel: the same attachments through floor.c and through transactions, in
 * turns, in one run. `npx tsx bench/attach/run.ts [rounds] [count]`, as root; needs cc. Everything happens in network
 * and mount namespaces of its own.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Kernel } from 'libcnm/kernel'
import { attach, bridge, BRIDGE, detach, unplug } from './operations.js'
import { milliseconds, quantiles, table } from './report.js'

const INSIDE = 'BENCH_INSIDE'
const MANY = 200
/** The kernel removes what is left of namespaces in the background; the next round must not meet it. */
const SETTLE = 1500

interface Round {
  each: number[]
  total: number
  drop: number
}

/** Runs this file again in namespaces of its own. */
function outside(): void {
  const self = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const { status } = spawnSync('unshare', ['--net', '--mount', '--propagation', 'private', ...self], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  process.exitCode = status ?? 1
}

async function inside(rounds: number, count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-attach-'))
  try {
    const floor = join(folder, 'floor')
    execFileSync('cc', ['-O2', '-o', floor, fileURLToPath(new URL('floor.c', import.meta.url))])
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run'])
    await using kernel = await Kernel.open()
    await kernel.transaction(bridge)
    await compare(kernel, floor, rounds, count)
    await many(kernel, floor)
    await eventLoop(kernel)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function compare(kernel: Kernel, floor: string, rounds: number, count: number): Promise<void> {
  const [c, ours]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round++) {
    c.push(...(await inC(floor, count)).each)
    ours.push(...(await inNode(kernel, count)).each)
  }
  const [a, b] = [quantiles(c), quantiles(ours)]
  console.log(`One attachment, ${rounds} rounds of ${count} in turns, milliseconds:`)
  table([
    ['', 'p50', 'p90', 'p99'],
    ['C', ...a.map(milliseconds)],
    ['libcnm', ...b.map(milliseconds)],
    ['ratio', ...a.map((value, i) => (b[i]! / value).toFixed(2))],
  ])
}

async function many(kernel: Kernel, floor: string): Promise<void> {
  const c = await inC(floor, MANY)
  const ours = await inNode(kernel, MANY)
  const together = await atOnce(kernel, MANY)
  console.log(`\n${MANY} sandboxes, milliseconds:`)
  table([
    ['', 'attached', 'dropped'],
    ['C', milliseconds(c.total), milliseconds(c.drop)],
    ['libcnm, one after the other; drops asked at once', milliseconds(ours.total), milliseconds(ours.drop)],
    ['libcnm, all asked at once', milliseconds(together.total), milliseconds(together.drop)],
  ])
}

async function inC(floor: string, count: number): Promise<Round> {
  const out = JSON.parse(execFileSync(floor, [BRIDGE, String(count)], { encoding: 'utf8' })) as {
    attach_us: number[]
    attach_total_us: number
    drop_us: number
  }
  await sleep(SETTLE)
  return { each: out.attach_us.map((us) => us / 1000), total: out.attach_total_us / 1000, drop: out.drop_us / 1000 }
}

async function inNode(kernel: Kernel, count: number): Promise<Round> {
  const each: number[] = []
  const start = performance.now()
  for (let i = 0; i < count; i++) {
    const before = performance.now()
    await kernel.transaction(attach(i))
    each.push(performance.now() - before)
  }
  const total = performance.now() - start
  return { each, total, drop: await dropAll(kernel, count) }
}

async function atOnce(kernel: Kernel, count: number): Promise<Round> {
  const start = performance.now()
  await Promise.all(Array.from({ length: count }, (_, i) => kernel.transaction(attach(i))))
  const total = performance.now() - start
  return { each: [], total, drop: await dropAll(kernel, count) }
}

async function dropAll(kernel: Kernel, count: number): Promise<number> {
  const start = performance.now()
  await Promise.all(Array.from({ length: count }, (_, i) => kernel.transaction(detach(i))))
  const took = performance.now() - start
  await sleep(SETTLE)
  return took
}

/** Deleting links one by one is the slowest thing there is; the program's own thread must not feel it. */
async function eventLoop(kernel: Kernel): Promise<void> {
  for (let i = 0; i < MANY; i++) await kernel.transaction(attach(i))
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  for (let i = 0; i < MANY; i++) await kernel.transaction(unplug(i))
  const took = performance.now() - start
  delay.disable()
  console.log(`\n${MANY} links deleted one by one in ${milliseconds(took)} ms; event-loop delay of the main thread, milliseconds:`)
  const [p50, p99, most] = [delay.percentile(50), delay.percentile(99), delay.max].map((ns) => milliseconds(ns / 1e6))
  table([['p50', 'p99', 'max'], [p50!, p99!, most!]])
  await Promise.all(Array.from({ length: MANY }, (_, i) => kernel.transaction(detach(i).slice(1))))
}

const [rounds = 5, count = 100] = process.argv.slice(2).map(Number)
if (process.env[INSIDE] === '1') await inside(rounds, count)
else outside()
