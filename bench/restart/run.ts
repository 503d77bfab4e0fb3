/**
 * What a long life costs. `npx tsx bench/restart/run.ts open [endpoints]`: opening an instance with so many endpoints, in a
 * tenth as many sandboxes on ten networks, after its controller was closed. `npx tsx bench/restart/run.ts cycles [count]`:
 * an endpoint made, joined and deleted so many times; memory, descriptors and store on the way. As root; needs a built
 * package. Everything happens in network and mount namespaces of its own.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import { fileURLToPath } from 'node:url'
import { Controller } from 'libcnm'
import { table } from '../attach/report.js'

const INSIDE = 'BENCH_INSIDE'
const NETWORKS = 10
const PER_SANDBOX = 10
const OPENINGS = 3
const AT_ONCE = 20
const POINTS = 10

function outside(): void {
  const self = [process.execPath, '--expose-gc', ...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const { status } = spawnSync('unshare', ['--net', '--mount', '--propagation', 'private', ...self], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  process.exitCode = status ?? 1
}

const open = (stateDir: string): Promise<Controller> =>
  Controller.open({ stateDir, instance: 'bench', defaultPools: [{ base: '10.0.0.0/8', size: 20 }] })

async function populate(stateDir: string, endpoints: number): Promise<void> {
  await using controller = await open(stateDir)
  const networks = await Promise.all(Array.from({ length: NETWORKS }, (_, n) => controller.createNetwork({ name: `n${n}` })))
  for (let from = 0; from < endpoints; from += PER_SANDBOX * AT_ONCE) {
    const count = Math.min(AT_ONCE, Math.ceil((endpoints - from) / PER_SANDBOX))
    const connect = async (_: unknown, index: number): Promise<void> => {
      const first = from + index * PER_SANDBOX
      const sandbox = await controller.createSandbox({ name: `s${first}` })
      for (let e = first; e < Math.min(first + PER_SANDBOX, endpoints); e++)
        await sandbox.connect(networks[e % NETWORKS]!, { name: `e${e}`, ports: e % 4 === 0 ? [{ container: 80 }] : [] })
    }
    await Promise.all(Array.from({ length: count }, connect))
  }
}

/** Each in a process of its own, as after a restart. */
async function openings(stateDir: string, endpoints: number): Promise<void> {
  await populate(stateDir, endpoints)
  const self = [...process.execArgv, fileURLToPath(import.meta.url), 'once', stateDir]
  for (let opening = 1; opening <= OPENINGS; opening++) spawnSync(process.execPath, self, { stdio: 'inherit' })
}

async function once(stateDir: string): Promise<void> {
  const [start, processor] = [performance.now(), process.cpuUsage()]
  await using controller = await open(stateDir)
  const [took, { user, system }] = [performance.now() - start, process.cpuUsage(processor)]
  const { health, endpoints, sandboxes } = await controller.status()
  const cost = `${took.toFixed(0)} ms, ${((user + system) / 1000).toFixed(0)} ms of processor time`
  console.log(`Controller.open: ${cost}; ${endpoints} endpoints, ${sandboxes} sandboxes, ${health}`)
}

interface Point {
  cycles: number
  resident: number
  heap: number
  descriptors: number
  store: number
  perCycle: number
}

const kilobytes = (bytes: number): number => Math.round(bytes / 1024)

function measure(stateDir: string, cycles: number, perCycle: number): Point {
  global.gc!()
  const { rss, heapUsed } = process.memoryUsage()
  return {
    cycles,
    resident: kilobytes(rss),
    heap: kilobytes(heapUsed),
    descriptors: readdirSync('/proc/self/fd').length,
    store: kilobytes(statSync(join(stateDir, 'bench', 'store', 'data.mdb')).blocks * 512),
    perCycle,
  }
}

async function cycles(stateDir: string, count: number): Promise<void> {
  await using controller = await open(stateDir)
  const network = await controller.createNetwork({ name: 'n' })
  const sandbox = await controller.createSandbox({ name: 's' })
  const points: Point[] = []
  const share = Math.ceil(count / POINTS)
  for (let point = 0; point <= POINTS; point++) {
    const start = performance.now()
    // The first round is for what is made once.
    for (let cycle = 0; cycle < share; cycle++) {
      const endpoint = await sandbox.connect(network, { ports: [{ container: 80 }] })
      await endpoint.delete({ force: true })
    }
    await controller.check()
    points.push(measure(stateDir, point * share, (performance.now() - start) / share))
    console.log(`${point * share} of ${share * POINTS}`)
  }
  const head = ['cycles', 'resident kB', 'heap kB', 'descriptors', 'store kB', 'ms each']
  table([head, ...points.map((p) => [p.cycles, p.resident, p.heap, p.descriptors, p.store, p.perCycle.toFixed(2)].map(String))])
  for (const what of ['resident', 'heap', 'descriptors', 'store'] as const)
    console.log(`${what}: ${slope(points, what).toFixed(3)} more per 1,000 cycles, over the last half`)
}

/** Least squares. */
function slope(points: readonly Point[], what: 'resident' | 'heap' | 'descriptors' | 'store'): number {
  const last = points.slice(points.length >> 1)
  const mean = (of: (point: Point) => number): number => last.reduce((sum, point) => sum + of(point), 0) / last.length
  const [x, y] = [mean((point) => point.cycles), mean((point) => point[what])]
  const together = last.reduce((sum, point) => sum + (point.cycles - x) * (point[what] - y), 0)
  return (together / last.reduce((sum, point) => sum + (point.cycles - x) ** 2, 0)) * 1000
}

async function inside(what: string | undefined, count: number | undefined): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-restart-'))
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run'])
  try {
    if (what === 'open') await openings(folder, count ?? 1_000)
    else if (what === 'cycles') await cycles(folder, count ?? 20_000)
    else throw new Error('expected "open" or "cycles"')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.env[INSIDE] === undefined) outside()
else if (process.argv[2] === 'once') await once(process.argv[3]!)
else await inside(process.argv[2], process.argv[3] === undefined ? undefined : Number(process.argv[3]))
