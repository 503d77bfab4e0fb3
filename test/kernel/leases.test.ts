import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { Controller, type Endpoint, type Network, type Sandbox } from 'libcnm'
import type { IpamDriver, Lease, LeaseContext } from 'libcnm/contracts'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

interface Acquired {
  lease: Lease
  context: LeaseContext
  /** What `ip` said of the interface at that moment. */
  link: { address: string; flags: string[]; addr_info: { family: string; local: string }[] }
}

/** A DHCP server and client in one, without packets: what it was asked for, and what it answers. */
class LeasingDriver implements IpamDriver {
  readonly name = 'leasing'
  readonly capabilities = { leases: true }
  readonly calls: string[] = []
  readonly acquired: Acquired[] = []
  answer: (lease: Lease, context: LeaseContext) => Promise<Lease> | Lease = (lease) => ({
    ...lease,
    address: lease.address || '10.77.0.50/24',
    gateway: '10.77.0.1',
    data: { server: '10.77.0.1' },
  })

  async requestPool(): Promise<{ id: string; subnet: string }> {
    return { id: 'lan', subnet: '10.77.0.0/24' }
  }
  async releasePool(): Promise<void> {}
  async requestAddress(request: Parameters<IpamDriver['requestAddress']>[0]): Promise<Lease> {
    const address = request.purpose === 'gateway' ? '10.77.0.1/24' : request.address === undefined ? '' : `${request.address}/24`
    return { pool: 'lan', address, owner: request.owner }
  }
  async releaseAddress(_pool: string, address: string): Promise<void> {
    this.calls.push(`forget ${address}`)
  }
  async acquire(lease: Lease, context: LeaseContext): Promise<Lease> {
    this.calls.push(`acquire ${lease.address}`)
    this.acquired.push({ lease, context, link: show(context.namespace, context.link) })
    return this.answer(lease, context)
  }
  async release(lease: Lease, context: LeaseContext): Promise<void> {
    show(context.namespace, context.link)
    this.calls.push(`release ${lease.address}`)
  }
  last(): Acquired {
    return this.acquired.at(-1)!
  }
}

const ip = <T>(namespace: string, ...args: string[]): T[] =>
  JSON.parse(execFileSync('ip', ['-n', namespace.split('/').pop()!, '-j', ...args], { encoding: 'utf8' }) || '[]') as T[]
const show = (namespace: string, link: string): Acquired['link'] => ip<Acquired['link']>(namespace, 'addr', 'show', 'dev', link)[0]!
const inside = (sandbox: Sandbox): string[] =>
  show(sandbox.netns, 'eth0')
    .addr_info.filter(({ family }) => family === 'inet')
    .map(({ local }) => local)
const gateways = (sandbox: Sandbox): (string | undefined)[] =>
  ip<{ dst: string; gateway?: string }>(sandbox.netns, 'route')
    .filter(({ dst }) => dst === 'default')
    .map(({ gateway }) => gateway)
const seconds = (n: number): number => Date.now() + n * 1000

describe.skipIf(needsPrivileges() ?? needs('ip', 'ping', 'getent'))('addresses that are leases', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  let driver: LeasingDriver
  let controller: Controller
  let network: Network
  let sandbox: Sandbox
  let before: Census
  const warnings: string[] = []
  const open = async (): Promise<void> => {
    controller = await Controller.open({ stateDir, instance: 'lease', ipam: [driver] })
    controller.on('warning', ({ message }) => warnings.push(message))
  }
  const changed = (): Promise<unknown> => once(controller as unknown as NodeJS.EventEmitter, 'endpoint:change')
  const connect = async (options: { addresses?: string[] } = {}): Promise<Endpoint> => sandbox.connect(network, options)

  beforeAll(async () => {
    driver = new LeasingDriver()
    await open()
    network = await controller.createNetwork({ name: 'lan', ipam: { driver: 'leasing' } })
    sandbox = await controller.createSandbox({ name: 'first' })
    await connect()
    await sandbox.run('true')
    await sandbox.delete()
    before = await takeCensus()
  })
  beforeEach(async () => {
    await sandbox.delete()
    driver.calls.length = 0
    warnings.length = 0
    driver.answer = new LeasingDriver().answer
    sandbox = await controller.createSandbox({ name: 'box' })
  })
  afterAll(async () => {
    await sandbox.delete()
    expect(await leftBehind(before)).toEqual([])
    await network.delete()
    await controller.close()
    rmSync(stateDir, { recursive: true })
  })

  it('are acquired when the interface is in the sandbox, up and with its MAC, and are in the kernel when join returns', async () => {
    const endpoint = await connect()
    const { lease, context, link } = driver.last()
    expect(lease).toMatchObject({ pool: 'lan', address: '', owner: endpoint.id })
    expect(context).toMatchObject({ namespace: sandbox.netns, link: 'eth0', mac: endpoint.mac, hostname: sandbox.hostname })
    expect(link.address).toBe(endpoint.mac)
    expect(link.flags).toContain('UP')
    expect(link.addr_info.filter(({ family }) => family === 'inet')).toEqual([])
    expect(endpoint.addresses).toEqual(['10.77.0.50/24'])
    expect(inside(sandbox)).toEqual(['10.77.0.50'])
    expect(gateways(sandbox)).toEqual(['10.77.0.1'])
    expect((await sandbox.run('ping', ['-c1', '-W2', '10.77.0.1'])).code).toBe(0)
  })

  it('are given back at leave, before the interface goes, and asked for again at the next join', async () => {
    const endpoint = await connect()
    const { signal } = driver.last().context
    await endpoint.leave()
    expect(driver.calls).toEqual(['acquire ', 'release 10.77.0.50/24'])
    expect(signal.aborted).toBe(true)
    expect(endpoint.addresses).toEqual([])
    await endpoint.join(sandbox)
    expect(driver.last().lease).toMatchObject({ address: '10.77.0.50/24', data: { server: '10.77.0.1' } })
    await endpoint.delete({ force: true })
    expect(driver.calls.slice(2)).toEqual(['acquire 10.77.0.50/24', 'release 10.77.0.50/24', 'forget 10.77.0.50'])
  })

  it('are given back when the sandbox is deleted', async () => {
    await connect()
    await sandbox.delete()
    expect(driver.calls).toEqual(['acquire ', 'release 10.77.0.50/24', 'forget 10.77.0.50'])
  })

  it('a static one is asked for', async () => {
    const endpoint = await connect({ addresses: ['10.77.0.9'] })
    expect(driver.last().lease.address).toBe('10.77.0.9/24')
    expect(endpoint.addresses).toEqual(['10.77.0.9/24'])
  })

  it('one that cannot be had fails the join, and leaves nothing', async () => {
    driver.answer = () => Promise.reject(new Error('no server answers'))
    const endpoint = await network.createEndpoint({ name: 'box' })
    await expect(endpoint.join(sandbox)).rejects.toMatchObject({
      code: 'ERR_CNM_DRIVER_FAILED',
      message: 'IPAM driver leasing: acquire: no server answers',
    })
    expect(endpoint.sandbox).toBeUndefined()
    expect(ip<{ ifname: string }>(sandbox.netns, 'link').map(({ ifname }) => ifname)).toEqual(['lo'])
    expect(driver.last().context.signal.aborted).toBe(true)
    driver.answer = (lease) => ({ ...lease, address: '10.77.0.300/24' })
    await expect(endpoint.join(sandbox)).rejects.toMatchObject({ code: 'ERR_CNM_DRIVER_FAILED' })
    await endpoint.delete()
  })

  it('a join that is aborted ends the attempt', async () => {
    const abort = new AbortController()
    driver.answer = () => new Promise(() => abort.abort())
    const endpoint = await network.createEndpoint({ name: 'box' })
    await expect(endpoint.join(sandbox, { signal: abort.signal })).rejects.toMatchObject({ code: 'ERR_CNM_ABORTED' })
    expect(driver.last().context.signal.aborted).toBe(true)
    await endpoint.delete()
  })

  it('a changed one is changed on the running interface, with an event, and in names', async () => {
    const endpoint = await connect()
    const { context, lease } = driver.last()
    const event = changed()
    context.changed({ ...lease, address: '10.77.0.60/24', gateway: '10.77.0.2' })
    expect(await event).toMatchObject([{ endpoint, network }])
    expect(endpoint.addresses).toEqual(['10.77.0.60/24'])
    expect(inside(sandbox)).toEqual(['10.77.0.60'])
    expect(gateways(sandbox)).toEqual(['10.77.0.2'])
    await expect.poll(async () => (await sandbox.run('getent', ['ahostsv4', 'box.lan'])).stdout).toContain('10.77.0.60')
  })

  it('a renewed one only moves its end; a lost one takes its address away, and another may come', async () => {
    const endpoint = await connect()
    const { context, lease } = driver.last()
    context.changed({ ...lease, address: '10.77.0.50/24', gateway: '10.77.0.1', expires: seconds(3600) })
    const lost = changed()
    context.changed(undefined)
    await lost
    expect(endpoint.addresses).toEqual([])
    expect(inside(sandbox)).toEqual([])
    expect(gateways(sandbox)).toEqual([])
    const again = changed()
    context.changed({ ...lease, address: '10.77.0.61/24', gateway: '10.77.0.1' })
    await again
    expect(inside(sandbox)).toEqual(['10.77.0.61'])
    expect(warnings).toEqual(['endpoint box of network lan: its lease has ended and was not renewed'])
  })

  it('one that nobody renews is not used after its end', async () => {
    driver.answer = (lease) => ({ ...lease, address: '10.77.0.70/24', expires: seconds(0.4) })
    const lost = changed()
    const endpoint = await connect()
    await lost
    expect(endpoint.addresses).toEqual([])
    expect(inside(sandbox)).toEqual([])
  })

  it.each([
    ['forward', 86_400_000],
    ['back', -86_400_000],
  ])('one ends when its time is over, also when the clock is set %s meanwhile', async (_direction, by) => {
    driver.answer = (lease) => ({ ...lease, address: '10.77.0.71/24', expires: seconds(1.5) })
    const lost = changed()
    const start = performance.now()
    await connect()
    const { now } = Date
    Date.now = () => now() + by
    try {
      await lost
    } finally {
      Date.now = now
    }
    expect(performance.now() - start).toBeGreaterThan(1_490)
    expect(inside(sandbox)).toEqual([])
  })

  it('after a restart it is followed again, and what changed meanwhile is applied', async () => {
    await connect()
    const { signal } = driver.last().context
    await controller.close()
    expect(signal.aborted).toBe(true)
    expect(driver.calls).toEqual(['acquire '])
    driver.answer = (lease) => ({ ...lease, address: '10.77.0.80/24' })
    await open()
    sandbox = controller.sandboxes.get('box')
    network = controller.networks.get('lan')
    await expect.poll(() => inside(sandbox)).toEqual(['10.77.0.80'])
    expect(driver.last().lease).toMatchObject({ address: '10.77.0.50/24', data: { server: '10.77.0.1' } })
    // Not by its event: that of the first change may be still to come.
    driver.last().context.changed({ ...driver.last().lease, address: '10.77.0.81/24' })
    await expect.poll(() => inside(sandbox)).toEqual(['10.77.0.81'])
  })

  it('a server that is gone after a restart takes no address away', async () => {
    await connect()
    await controller.close()
    driver.answer = () => Promise.reject(new Error('no server answers'))
    await open()
    sandbox = controller.sandboxes.get('box')
    network = controller.networks.get('lan')
    await expect.poll(() => warnings).toHaveLength(1)
    expect(warnings[0]).toContain('could not be confirmed')
    expect(inside(sandbox)).toEqual(['10.77.0.50'])
  })
})
