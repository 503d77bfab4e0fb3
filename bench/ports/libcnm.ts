import { execFileSync } from 'node:child_process'
import { performance } from 'node:perf_hooks'
import { Controller, type Endpoint, type PortOptions, type Sandbox } from 'libcnm'
import { milliseconds, quantiles } from '../attach/report.js'
import type { Contender, Measure, Shape } from './run.js'
import type { Scene } from './scene.js'

const FIRST = 20_000
const TURNS = 100
const MANY = 1000

const REQUESTS: Record<Shape, PortOptions[]> = {
  'one port': [{ host: FIRST, container: FIRST, protocol: 'udp' }],
  '1,000 as one range': [{ host: FIRST, container: FIRST, containerEnd: FIRST + MANY - 1, protocol: 'udp' }],
  '1,000 one by one': Array.from({ length: MANY }, (_, n) => ({ host: FIRST + n, container: FIRST + n, protocol: 'udp' as const })),
}

/** A joined endpoint gets ports, and loses them, through the public API with the LMDB store. */
export const libcnm = (folder: string): Contender => ({
  name: 'libcnm',
  async measure(shape, scene) {
    await using controller = await Controller.open({ stateDir: folder, instance: 'benchports' })
    const { endpoint, sandbox, remove } = await member(controller)
    const requests = REQUESTS[shape]
    const start = performance.now()
    await endpoint.publish(requests)
    const publish = performance.now() - start
    const rules = countRules('inet benchports')
    const rates = await ratesOf(scene, sandbox.netns, shape)
    const before = performance.now()
    await endpoint.unpublish(requests.map(({ host }) => ({ host: host! })))
    const withdraw = performance.now() - before
    await remove()
    return { publish, withdraw, rules, ...rates }
  },
})

async function member(controller: Controller): Promise<{ endpoint: Endpoint; sandbox: Sandbox; remove: () => Promise<void> }> {
  const network = await controller.createNetwork({ name: 'bench' })
  const sandbox = await controller.createSandbox({ name: 'bench' })
  const endpoint = await sandbox.connect(network)
  return {
    endpoint,
    sandbox,
    async remove() {
      await sandbox.delete()
      await network.delete()
    },
  }
}

/** To a port in the middle of those that are published. */
export async function ratesOf(scene: Scene, netns: string, shape: Shape, first = FIRST): Promise<Pick<Measure, 'first' | 'further'>> {
  const last = shape === 'one port' ? first : first + MANY - 1
  const port = (first + last) >> 1
  const echo = await scene.echo(netns, port, port)
  const rates = { first: scene.rate('new', port), further: scene.rate('same', port) }
  echo.kill()
  return rates
}

function countRules(table: string): number {
  const text = execFileSync('nft', ['-a', 'list', 'table', ...table.split(' ')], { encoding: 'utf8', maxBuffer: 1 << 28 })
  return text.split('\n').filter((line) => /# handle/.test(line) && !/\{/.test(line)).length
}

/** Publishing and withdrawing one port, on a host with nothing published and with 10,000 ports of ten endpoints. */
export async function oneMore(folder: string): Promise<string[][]> {
  await using controller = await Controller.open({ stateDir: folder, instance: 'benchports' })
  const { endpoint, remove } = await member(controller)
  const rows = [['', 'p50', 'p90', 'p99', 'processor time']]
  const turns = async (title: string): Promise<void> => {
    const [publish, withdraw] = [[] as number[], [] as number[]]
    const before = process.cpuUsage()
    for (let turn = 0; turn < TURNS; turn++) {
      const start = performance.now()
      await endpoint.publish([{ host: 10_000, container: 80 }])
      const middle = performance.now()
      await endpoint.unpublish([{ host: 10_000 }])
      publish.push(middle - start)
      withdraw.push(performance.now() - middle)
    }
    // All threads, halved between the two: what a busy machine does not change.
    const { user, system } = process.cpuUsage(before)
    const cost = milliseconds((user + system) / 1000 / TURNS / 2)
    rows.push([`publish, ${title}`, ...quantiles(publish).map(milliseconds), cost])
    rows.push([`withdraw, ${title}`, ...quantiles(withdraw).map(milliseconds), cost])
  }
  await turns('nothing else published')
  const network = controller.networks.get('bench')
  const sandboxes: Sandbox[] = []
  for (let n = 0; n < 10; n++) {
    const sandbox = await controller.createSandbox({ name: `s${n}` })
    const ports = Array.from({ length: MANY }, (_, k) => ({ host: 20_000 + n * MANY + k, container: 80 + k }))
    await sandbox.connect(network, { ports })
    sandboxes.push(sandbox)
  }
  await turns('10,000 published')
  for (const sandbox of sandboxes) await sandbox.delete()
  await remove()
  return rows
}
