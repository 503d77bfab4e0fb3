/**
 * What the whole model costs on top of the kernel: a sandbox made, given an endpoint and joined, through the public API
 * with the LMDB store, beside a C program that makes a namespace, a pair, an address and a route, in turns, in one run.
 * `npx tsx bench/model/run.ts [count]`, as root; needs cc and a built package.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay, performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Controller, type Network, type Sandbox } from 'libcnm'
import { Floor } from '../attach/floor.js'
import { milliseconds, quantiles, table } from '../attach/report.js'

const INSIDE = 'BENCH_INSIDE'
const BRIDGE = 'br-bench'
const MANY = 200
const SETTLE = 2000

function outside(): void {
  const self = [process.execPath, ...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  const { status } = spawnSync('unshare', ['--net', '--mount', '--propagation', 'private', ...self], {
    stdio: 'inherit',
    env: { ...process.env, [INSIDE]: '1' },
  })
  process.exitCode = status ?? 1
}

async function inside(count: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bench-model-'))
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run'])
  try {
    await using controller = await Controller.open({ stateDir: folder, instance: 'bench' })
    const options = { 'com.docker.network.bridge.name': BRIDGE }
    const network = await controller.createNetwork({ name: 'n', options, ipam: { pools: [{ subnet: '10.250.0.0/16' }] } })
    // The first sandbox makes the folder of namespaces, which the C program uses too.
    await (await controller.createSandbox({ name: 'first' })).delete()
    await using floor = new Floor(BRIDGE, folder)
    await oneByOne(controller, network, floor, 50)
    console.log(`Sandbox, endpoint, join; ${count} of each in turns, milliseconds:`)
    table(await oneByOne(controller, network, floor, count))
    console.log(`\n${MANY} at once, milliseconds:`)
    table(await many(controller, network))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function oneByOne(controller: Controller, network: Network, floor: Floor, count: number): Promise<string[][]> {
  const [c, ours, parts] = [[] as number[], [] as number[], [[], [], []] as number[][]]
  const sandboxes: Sandbox[] = []
  for (let i = 0; i < count; i++) {
    c.push(await floor.do('attach'))
    const start = performance.now()
    const sandbox = await controller.createSandbox({ name: `s${i}` })
    const made = performance.now()
    const endpoint = await network.createEndpoint({ name: `s${i}` })
    const given = performance.now()
    await endpoint.join(sandbox)
    const joined = performance.now()
    ours.push(joined - start)
    ;[made - start, given - made, joined - given].forEach((part, at) => parts[at]!.push(part))
    sandboxes.push(sandbox)
  }
  await floor.do('drop')
  await Promise.all(sandboxes.map((sandbox) => sandbox.delete()))
  await sleep(SETTLE)
  const row = (name: string, values: number[]): string[] => [name, ...quantiles(values).map(milliseconds)]
  const [a, b] = [quantiles(c), quantiles(ours)]
  return [
    ['', 'p50', 'p90', 'p99'],
    row('C, without resolver and firewall', c),
    row('libcnm', ours),
    ['ratio', ...a.map((value, i) => (b[i]! / value).toFixed(2))],
    ...['  createSandbox', '  createEndpoint', '  join'].map((name, i) => row(name, parts[i]!)),
  ]
}

async function many(controller: Controller, network: Network): Promise<string[][]> {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  const sandboxes = await Promise.all(
    Array.from({ length: MANY }, async (_, i) => {
      const sandbox = await controller.createSandbox({ name: `m${i}` })
      await sandbox.connect(network)
      return sandbox
    }),
  )
  const attached = performance.now()
  await Promise.all(sandboxes.map((sandbox) => sandbox.delete()))
  const removed = performance.now()
  delay.disable()
  return [
    ['attached', 'removed', 'event-loop delay p99'],
    [milliseconds(attached - start), milliseconds(removed - attached), milliseconds(delay.percentile(99) / 1e6)],
  ]
}

const [count = 200] = process.argv.slice(2).map(Number)
if (process.env[INSIDE] === '1') await inside(count)
else outside()
