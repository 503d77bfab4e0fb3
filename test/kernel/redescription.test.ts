import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type Network } from 'libcnm'
import type { DriverContext, KernelObject, NetworkDriver, NetworkView, Store } from 'libcnm/contracts'
import { memory } from 'libcnm/store/memory'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'
import { until } from './until.js'

const ip = (...args: string[]): string => execFileSync('ip', args, { encoding: 'utf8', stdio: 'pipe' })

/** A driver whose descriptions follow what a test says. */
class Follower implements NetworkDriver {
  readonly name = 'follower'
  readonly capabilities = { addresses: false, resolver: false } as const
  context: DriverContext | undefined
  addresses: string[] = []
  remote = new Set<string>()
  endpointMtu = 1500
  asked = { network: 0, endpoint: 0, part: 0 }
  fail: string | undefined

  async start(context: DriverContext): Promise<void> {
    this.context = context
  }
  networkOptions = (): undefined => undefined
  hostLinks = (): string[] => ['uplink']
  network(network: NetworkView, host: { links: ReadonlyMap<string, { mtu: number }> }): KernelObject[] {
    this.asked.network++
    if (this.fail !== undefined) throw new Error(this.fail)
    const name = bridgeOf(network)
    const mtu = host.links.get('uplink')?.mtu
    return [
      { kind: 'link', at: 'host', type: 'bridge', name, ipv6AddressGeneration: 'none', ...(mtu !== undefined && { mtu }) },
      ...this.addresses.map((address): KernelObject => ({ kind: 'address', at: 'host', link: name, address })),
    ]
  }
  endpoint(endpoint: { id: string; interfaceName: string }, network: NetworkView): KernelObject[] {
    this.asked.endpoint++
    const mtu = this.endpointMtu
    const peer = { at: 'sandbox', name: endpoint.interfaceName, mtu }
    return [{ kind: 'link', at: 'host', type: 'veth', name: `fv${endpoint.id.slice(0, 10)}`, master: bridgeOf(network), mtu, peer }]
  }
  parts = (): Iterable<string> => this.remote
  part(network: NetworkView, part: string): KernelObject[] {
    this.asked.part++
    if (!this.remote.has(part)) return []
    return [{ kind: 'neighbour', at: 'host', link: bridgeOf(network), address: part, mac: '02:00:00:00:00:01', state: 'permanent' }]
  }
}

const bridgeOf = (network: { shortId: string }): string => `fb${network.shortId}`

/** Counts what is written. */
function counting(store: Store): Store & { writes: number } {
  const counter = { writes: 0 }
  return new Proxy(store, {
    get(real, name) {
      if (name === 'writes') return counter.writes
      if (name === 'commit')
        return (changes: Parameters<Store['commit']>[0], options: Parameters<Store['commit']>[1]) => {
          counter.writes += changes.length
          return real.commit(changes, options)
        }
      const value: unknown = Reflect.get(real, name)
      return typeof value === 'function' ? (value as () => unknown).bind(real) : value
    },
  }) as Store & { writes: number }
}

describe.skipIf(needsPrivileges() ?? needs('ip'))('descriptions that change', () => {
  let before: Census
  let driver: Follower
  let store: ReturnType<typeof counting>
  let controller: Controller
  let warnings: string[]
  let stateDir: string

  const open = async (): Promise<void> => {
    driver = Object.assign(new Follower(), { remote: driver?.remote ?? new Set(), addresses: driver?.addresses ?? [] })
    controller = await Controller.open({ stateDir, instance: 'follow', drivers: [driver], store })
    warnings = []
    controller.on('warning', ({ message }) => warnings.push(message))
  }
  const link = (network: Network): { mtu: number; addresses: string[] } => {
    const [found] = JSON.parse(ip('-j', 'addr', 'show', bridgeOf({ shortId: network.id.slice(0, 12) }))) as {
      mtu: number
      addr_info: { local: string }[]
    }[]
    return { mtu: found!.mtu, addresses: found!.addr_info.map(({ local }) => local) }
  }
  const neighbours = (): number => ip('neigh', 'show', 'nud', 'permanent').trim().split('\n').filter(Boolean).length

  beforeEach(async () => {
    before = await takeCensus()
    stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
    store = counting(memory())
    driver = new Follower()
    ip('link', 'add', 'uplink', 'type', 'veth', 'peer', 'name', 'uplink-peer')
    await open()
  })
  afterEach(async () => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    for (const network of controller.networks.list()) await network.delete()
    expect(await store.list('')).toEqual([])
    await controller.close()
    ip('link', 'del', 'uplink')
    rmSync(stateDir, { recursive: true })
    expect(await leftBehind(before)).toEqual([])
  })

  it('of a network: what is new comes, what is old goes, in kernel and store', async () => {
    driver.addresses = ['10.90.0.1/24', '10.91.0.1/24']
    const network = await controller.createNetwork({ name: 'n', driver: 'follower' })
    driver.addresses = ['10.91.0.1/24', '10.92.0.1/24']
    driver.context!.changed(network.id)
    await until(() => link(network).addresses.join() === '10.91.0.1,10.92.0.1')
    await until(async () => !JSON.stringify(await store.list('network/')).includes('previous'))
    expect(JSON.stringify(await store.list('network/'))).not.toContain('10.90.0.1')
    expect(await controller.check()).toEqual([])
  })

  it('of an endpoint, and of all endpoints of a network', async () => {
    const network = await controller.createNetwork({ name: 'n', driver: 'follower' })
    const sandbox = await controller.createSandbox({ name: 's' })
    const endpoint = await sandbox.connect(network)
    driver.endpointMtu = 1400
    driver.context!.changed(endpoint.id)
    await until(() => ip('link', 'show', `fv${endpoint.id.slice(0, 10)}`).includes('mtu 1400'))
    driver.endpointMtu = 1300
    driver.context!.changed(network.id)
    await until(() => ip('link', 'show', `fv${endpoint.id.slice(0, 10)}`).includes('mtu 1300'))
    expect(await controller.check()).toEqual([])
    expect(ip('-n', sandbox.netns.split('/').pop()!, 'link', 'show', 'eth0')).toContain('mtu 1300')
  })

  it('often: what meets is asked for once', async () => {
    const network = await controller.createNetwork({ name: 'n', driver: 'follower' })
    const asked = driver.asked.network
    for (let i = 0; i < 1000; i++) driver.context!.changed(network.id)
    driver.addresses = ['10.90.0.1/24']
    await until(() => link(network).addresses.length === 1)
    expect(driver.asked.network - asked).toBeLessThan(3)
  })

  it('in parts: ten thousand exist, and one more costs what one costs', async () => {
    for (let i = 0; i < 10_000; i++) driver.remote.add(`10.95.${i >> 8}.${i & 255}`)
    const network = await controller.createNetwork({ name: 'n', driver: 'follower' })
    expect(neighbours()).toBe(10_000)
    const [asked, writes] = [driver.asked.part, store.writes]
    driver.remote.add('10.96.0.1')
    driver.context!.changed(network.id, '10.96.0.1')
    await until(() => neighbours() === 10_001)
    driver.remote.delete('10.95.0.7')
    driver.context!.changed(network.id, '10.95.0.7')
    await until(() => neighbours() === 10_000)
    await until(async () => (await store.get(`part/${network.id}/10.95.0.7`)) === undefined)
    expect(driver.asked.part - asked).toBe(2)
    expect(store.writes - writes).toBeLessThanOrEqual(3)
    // All of them again, for a driver that does not know what has changed.
    driver.remote.delete('10.95.0.8')
    driver.context!.changed(network.id)
    await until(() => neighbours() === 9999)
    await controller.close()
    await open()
    expect(neighbours()).toBe(9999)
    expect(await controller.check()).toEqual([])
  }, 60_000)

  it('after the host has: the MTU of a link that the driver named, and the link itself', async () => {
    const network = await controller.createNetwork({ name: 'n', driver: 'follower' })
    ip('link', 'set', 'uplink', 'mtu', '1420')
    await until(() => link(network).mtu === 1420)
    ip('link', 'set', 'uplink', 'name', 'other')
    ip('link', 'set', 'other', 'mtu', '1350')
    ip('link', 'set', 'other', 'name', 'uplink')
    await until(() => link(network).mtu === 1350)
    const asked = driver.asked.network
    ip('link', 'set', 'uplink-peer', 'mtu', '1400')
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(driver.asked.network).toBe(asked)
  })

  it('while no controller ran: asked for at the next start', async () => {
    const network = await controller.createNetwork({ name: 'n', driver: 'follower' })
    driver.remote.add('10.95.0.1')
    await controller.close()
    driver.addresses = ['10.90.0.1/24']
    ip('link', 'set', 'uplink', 'mtu', '1420')
    await open()
    await until(() => link(controller.networks.get('n')).addresses.length === 1 && neighbours() === 1 && link(network).mtu === 1420)
  })

  it('and cannot be made or applied: the old one stays, a warning says why, and it is tried again', async () => {
    driver.addresses = ['10.90.0.1/24']
    const network = await controller.createNetwork({ name: 'n', driver: 'follower' })
    driver.fail = 'the cluster is away'
    driver.context!.changed(network.id)
    await until(() => warnings.length === 1)
    expect(warnings[0]).toBe('network n: its new description is not applied: driver follower: network: the cluster is away')
    // Then the kernel refuses it.
    driver.fail = undefined
    driver.addresses = ['10.90.0.1/24', '10.93.0.1/99']
    await until(() => warnings.length === 2)
    expect(link(network).addresses).toEqual(['10.90.0.1'])
    expect(await controller.check()).toEqual([])
    expect(JSON.stringify(await store.list('network/'))).not.toContain('10.93')
    driver.addresses = ['10.94.0.1/24']
    await until(() => link(network).addresses.join() === '10.94.0.1')
  })

  it('and the process died in between: nothing of the old one is left', async () => {
    driver.addresses = ['10.90.0.1/24']
    const network = await controller.createNetwork({ name: 'n', driver: 'follower' })
    const [entry] = await store.list('network/')
    await controller.close()
    // As if the kernel had got the new address, and not yet lost the old one.
    driver.addresses = ['10.92.0.1/24']
    const value = entry!.value as unknown as { description: KernelObject[] }
    const next = value.description.map((object) => (object.kind === 'address' ? { ...object, address: '10.92.0.1/24' } : object))
    await store.commit([{ put: entry!.key, value: { ...value, description: next, previous: value.description } as never }])
    ip('addr', 'add', '10.92.0.1/24', 'dev', bridgeOf({ shortId: network.id.slice(0, 12) }))
    await open()
    expect(link(network).addresses).toEqual(['10.92.0.1'])
    expect(JSON.stringify(await store.list('network/'))).not.toContain('previous')
  })
})
