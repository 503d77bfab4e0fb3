import { execFileSync } from 'node:child_process'
import http from 'node:http'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type Endpoint, type Network, type Sandbox } from 'libcnm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

interface Addr {
  ifname: string
  ifindex: number
  mtu: number
  address: string
  addr_info: { local: string; prefixlen: number }[]
}
interface Route {
  dst: string
  gateway?: string
  dev?: string
}
const ip = <T>(sandbox: Sandbox, ...args: string[]): T[] =>
  JSON.parse(execFileSync('ip', ['-n', sandbox.netns.split('/').pop()!, '-j', ...args], { encoding: 'utf8' }) || '[]') as T[]
const links = (sandbox: Sandbox): Addr[] => ip<Addr>(sandbox, 'addr').filter(({ ifname }) => ifname !== 'lo')
const defaults = (sandbox: Sandbox, family: '-4' | '-6' = '-4'): Route[] =>
  ip<Route>(sandbox, family, 'route').filter(({ dst }) => dst === 'default')
const bare = (endpoint: Endpoint, index = 0): string => endpoint.addresses[index]!.split('/')[0]!
// The first packet after a join may be lost while the kernel still activates the link, and ARP asks again after a second.
const PING = ['-c3', '-i0.3', '-W1']
const pings = async (from: Sandbox, to: string): Promise<boolean> => (await from.run('ping', [...PING, to])).code === 0
/** @throws without any reply */
const pingFrom = (netns: string, to: string): string =>
  execFileSync('ip', ['netns', 'exec', netns, 'ping', ...PING, to], { encoding: 'utf8' })
const code = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: { code?: string }) => error.code,
  )

describe.skipIf(needsPrivileges() ?? needs('ip', 'ping'))('controller', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  const open = (): Promise<Controller> => Controller.open({ stateDir, instance: 'model' })
  let controller: Controller
  let before: Census
  const clean = async (): Promise<void> => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    for (const network of controller.networks.list().reverse()) {
      for (const endpoint of network.endpoints) await endpoint.delete()
      await network.delete()
    }
  }

  beforeAll(async () => {
    // Forwarding stays on, as documented, and the first named namespace makes its folder a mount.
    controller = await open()
    const network = await controller.createNetwork({ name: 'first' })
    const sandbox = await controller.createSandbox({ name: 'first' })
    await sandbox.connect(network)
    await sandbox.run('true')
    await clean()
    before = await takeCensus()
  })
  afterAll(async () => {
    await clean()
    expect(await leftBehind(before)).toEqual([])
    expect(await controller.check()).toEqual([])
    await controller.close()
    rmSync(stateDir, { recursive: true, force: true })
  })

  it('two sandboxes on one network reach each other, by address and by name', async () => {
    const network = await controller.createNetwork({ name: 'one', ipam: { pools: [{ subnet: '10.77.0.0/24' }] } })
    const [a, b] = [await controller.createSandbox({ name: 'a' }), await controller.createSandbox({ name: 'b' })]
    const ea = await a.connect(network)
    const eb = await b.connect(network, { aliases: ['bee'] })
    expect(ea.addresses).toEqual(['10.77.0.2/24'])
    expect(await pings(a, bare(eb))).toBe(true)
    expect(await pings(a, '10.77.0.1')).toBe(true)
    expect(await a.resolve('BEE')).toEqual([bare(eb)])
    const server = await b.listen(
      http.createServer((_, response) => response.end('ok')),
      { port: 80 },
    )
    const reply = await fetch('http://bee/', { dispatcher: a.dispatcher() })
    expect(await reply.text()).toBe('ok')
    server.close()
    server.closeAllConnections()
    await clean()
  })

  it('a sandbox counts what goes through its interfaces', async () => {
    const network = await controller.createNetwork({ name: 'counted' })
    const [a, b] = [await controller.createSandbox({ name: 'a' }), await controller.createSandbox({ name: 'b' })]
    expect(await a.statistics()).toEqual({})
    await a.connect(network)
    const target = bare(await b.connect(network))
    const before = (await a.statistics())['eth0']!
    // The queue of packets is one for all namespaces, and other tests fill it: some are lost.
    await expect.poll(async () => (await a.run('ping', ['-c5', '-i0.05', '-W1', '-s1000', target])).stdout).toContain(' 0% packet loss')
    const after = (await a.statistics())['eth0']!
    const shown = ip<{ ifname: string; stats64: { rx: { packets: number } } }>(a, '-s', 'link', 'show', 'eth0')[0]!
    expect(after.txBytes - before.txBytes).toBeGreaterThan(5000)
    expect(after.rxBytes - before.rxBytes).toBeGreaterThan(5000)
    expect(shown.stats64.rx.packets).toBeGreaterThanOrEqual(after.rxPackets)
    expect(Object.keys(await a.statistics())).toEqual(['eth0'])
    await a.delete()
    await expect(a.statistics()).rejects.toMatchObject({ code: 'ERR_CNM_SANDBOX_NOT_FOUND' })
    await clean()
  })

  it('networks are isolated from each other without the firewall knowing a route', async () => {
    const networks = [await controller.createNetwork({ name: 'x' }), await controller.createNetwork({ name: 'y', internal: true })]
    const [a, b] = [await controller.createSandbox({ name: 'a' }), await controller.createSandbox({ name: 'b' })]
    await a.connect(networks[0]!)
    const eb = await b.connect(networks[1]!)
    expect(await pings(a, bare(eb))).toBe(false)
    expect(defaults(b)).toEqual([])
    await clean()
  })

  it('interfaces: names and indexes in join order, exact names, prefixes, static addresses, MAC, link-local, sysctls', async () => {
    const networks: Network[] = []
    for (const name of ['n0', 'n1', 'n2']) networks.push(await controller.createNetwork({ name, enableIPv6: name === 'n1' }))
    const prefixed = await controller.createNetwork({ name: 'n3', options: { 'com.docker.network.container_iface_prefix': 'net' } })
    const sandbox = await controller.createSandbox({ name: 's' })
    await sandbox.connect(networks[0]!)
    await sandbox.connect(networks[1]!, {
      mac: '02:00:00:00:00:07',
      linkLocalAddresses: ['169.254.7.7'],
      sysctls: { 'net.ipv4.conf.IFNAME.arp_ignore': '2' },
    })
    await sandbox.connect(networks[2]!, { interfaceName: 'wan' })
    await sandbox.connect(prefixed)
    expect(links(sandbox).map(({ ifname, ifindex }) => [ifname, ifindex])).toEqual([
      ['eth0', 2],
      ['eth1', 3],
      ['wan', 4],
      ['net0', 5],
    ])
    const eth1 = links(sandbox)[1]!
    expect(eth1.address).toBe('02:00:00:00:00:07')
    expect(eth1.addr_info.map(({ local }) => local)).toContain('169.254.7.7')
    expect(eth1.addr_info.some(({ local }) => local.startsWith('fd'))).toBe(true)
    expect((await sandbox.run('cat', ['/proc/sys/net/ipv4/conf/eth1/arp_ignore'])).stdout.trim()).toBe('2')
    expect(await code(sandbox.connect(networks[0]!, { name: 'again', interfaceName: 'wan' }))).toBe('ERR_CNM_INTERFACE_EXISTS')
    await clean()
  })

  it('exactly one default route per family, re-chosen on connect and disconnect', async () => {
    const a = await controller.createNetwork({ name: 'aa' })
    const b = await controller.createNetwork({ name: 'bb', enableIPv6: true })
    const internal = await controller.createNetwork({ name: '00internal', internal: true })
    const sandbox = await controller.createSandbox({ name: 's' })
    await sandbox.connect(internal)
    expect(defaults(sandbox)).toEqual([])
    await sandbox.connect(b)
    expect(defaults(sandbox).map(({ gateway }) => gateway)).toEqual([b.gateways[0]])
    await sandbox.connect(a, { gatewayPriority: 10 })
    expect(defaults(sandbox).map(({ gateway }) => gateway)).toEqual([a.gateways[0]])
    expect(defaults(sandbox, '-6').map(({ gateway }) => gateway)).toEqual([b.gateways[1]])
    await sandbox.disconnect(a)
    expect(defaults(sandbox).map(({ gateway }) => gateway)).toEqual([b.gateways[0]])
    await sandbox.disconnect(b)
    expect(defaults(sandbox)).toEqual([])
    await clean()
  })

  it('names are unique, also when two ask at once; look-ups by name, id and prefix; filters; prune', async () => {
    const results = await Promise.allSettled([1, 2, 3].map(() => controller.createNetwork({ name: 'same' })))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const network = controller.networks.get('same')
    expect(controller.networks.get(network.id)).toBe(network)
    expect(controller.networks.get(network.id.slice(0, 20))).toBe(network)
    expect(() => controller.networks.get('nobody')).toThrow(expect.objectContaining({ code: 'ERR_CNM_NETWORK_NOT_FOUND' }) as Error)
    const labelled = await controller.createNetwork({ name: 'labelled', labels: { tier: 'web', team: 'red' } })
    expect(controller.networks.list({ filters: { label: ['tier=web', 'team'] } })).toEqual([labelled])
    expect(() => controller.networks.list({ filters: { lable: 'x' } })).toThrow(/did you mean label/)
    const sandbox = await controller.createSandbox({ name: 's' })
    await sandbox.connect(labelled)
    expect(await code(labelled.delete())).toBe('ERR_CNM_NETWORK_IN_USE')
    expect(await controller.networks.prune()).toEqual({ deleted: ['same'] })
    await clean()
  })

  it('bad input is refused before anything changes, with the field named', async () => {
    const refused: [unknown, string][] = [
      [{ name: 'x', drvier: 'bridge' }, 'drvier'],
      [{ name: '-x' }, 'name'],
      [{ name: 'x', options: { 'com.docker.network.bridge.nmae': 'b' } }, 'options.com.docker.network.bridge.nmae'],
      [{ name: 'x', driver: 'brigde' }, 'driver'],
      [{ name: 'x', ipam: { pools: [{ subnet: '10.1.2.3/24' }] } }, 'subnet'],
      [{ name: 'x', internal: 'yes' }, 'internal'],
    ]
    for (const [input, field] of refused) {
      const error = await controller.createNetwork(input as never).then(
        () => undefined,
        (reason: unknown) => reason as { code: string; field?: string },
      )
      expect(error, JSON.stringify(input)).toBeDefined()
      expect(error!.code).toMatch(/^ERR_CNM_/)
      expect(error!.field ?? '', JSON.stringify(input)).toContain(field)
    }
    expect(controller.networks.size).toBe(0)
  })

  it('config-only networks are templates', async () => {
    const template = await controller.createNetwork({
      name: 'template',
      configOnly: true,
      ipam: { pools: [{ subnet: '10.78.0.0/24' }] },
      options: { mtu: '1400' },
    })
    const network = await controller.createNetwork({ name: 'made', configFrom: 'template' })
    expect(network.subnets).toEqual(['10.78.0.0/24'])
    expect(network.inspect().ConfigFrom).toEqual({ Network: 'template' })
    expect(await code(template.delete())).toBe('ERR_CNM_NETWORK_IN_USE')
    expect(await code(controller.createNetwork({ name: 'bad', configFrom: 'made' }))).toBe('ERR_CNM_INVALID_ARGUMENT')
    expect(await code(template.createEndpoint({ name: 'e' }))).toBe('ERR_CNM_INVALID_ARGUMENT')
    await clean()
  })

  it('an existing namespace is joined and left, not removed', async () => {
    execFileSync('ip', ['netns', 'add', 'foreign'])
    try {
      const network = await controller.createNetwork({ name: 'n' })
      const sandbox = await controller.createSandbox({ name: 'f', netns: '/run/netns/foreign' })
      const other = await controller.createSandbox({ name: 'o' })
      const endpoint = await other.connect(network)
      await sandbox.connect(network)
      expect(pingFrom('foreign', bare(endpoint))).toMatch(/[123] received/)
      await clean()
      expect(execFileSync('ip', ['-n', 'foreign', '-o', 'link'], { encoding: 'utf8' }).trim().split('\n')).toHaveLength(1)
      expect(await code(controller.createSandbox({ name: 'g', netns: '/run/netns/nothing' }))).toBe('ERR_CNM_NAMESPACE_NOT_FOUND')
    } finally {
      execFileSync('ip', ['netns', 'del', 'foreign'])
    }
  })

  it('closing leaves everything running; the next controller adopts it and goes on', async () => {
    const network = await controller.createNetwork({ name: 'n' })
    const [a, b] = [await controller.createSandbox({ name: 'a' }), await controller.createSandbox({ name: 'b' })]
    await a.connect(network)
    const address = bare(await b.connect(network))
    await controller.close()
    expect(pingFrom(a.netns.split('/').pop()!, address)).toMatch(/[123] received/)
    expect(await code(controller.createNetwork({ name: 'late' }))).toBe('ERR_CNM_CLOSED')
    controller = await open()
    expect(await controller.check()).toEqual([])
    expect(controller.sandboxes.get('a').endpoints.map(({ network: { name } }) => name)).toEqual(['n'])
    expect(await pings(controller.sandboxes.get('a'), address)).toBe(true)
    await clean()
  })

  it('what somebody removed by hand is made again at the next start', async () => {
    const network = await controller.createNetwork({ name: 'n', options: { 'com.docker.network.bridge.name': 'br-hand' } })
    const [a, b] = [await controller.createSandbox({ name: 'a' }), await controller.createSandbox({ name: 'b' })]
    await a.connect(network)
    const address = bare(await b.connect(network))
    await controller.close()
    execFileSync('ip', ['link', 'del', 'br-hand'])
    execFileSync('ip', ['netns', 'del', a.netns.split('/').pop()!])
    controller = await open()
    expect(await controller.check()).toEqual([])
    expect(await pings(controller.sandboxes.get('a'), address)).toBe(true)
    await clean()
  })

  it('a second controller on the instance is refused, with the holder named; another instance is a stranger', async () => {
    const error = await open().then(
      () => undefined,
      (reason: unknown) => reason as { code: string; message: string },
    )
    expect(error).toMatchObject({ code: 'ERR_CNM_INSTANCE_LOCKED' })
    expect(error!.message).toContain(String(process.pid))
    const stranger = await Controller.open({ stateDir, instance: 'other' })
    const [mine, theirs] = [await controller.createNetwork({ name: 'n' }), await stranger.createNetwork({ name: 'n' })]
    expect(mine.subnets).not.toEqual(theirs.subnets)
    await theirs.delete()
    await stranger.close()
    await clean()
  })

  it('100 sandboxes on two networks each, at once: all reach each other, nothing is left', async () => {
    const networks = [await controller.createNetwork({ name: 'n0' }), await controller.createNetwork({ name: 'n1' })]
    const sandboxes = await Promise.all(Array.from({ length: 100 }, (_, index) => controller.createSandbox({ name: `s${index}` })))
    const endpoints = await Promise.all(sandboxes.map((sandbox) => Promise.all(networks.map((network) => sandbox.connect(network)))))
    const addresses = new Set(endpoints.flat().map(({ addresses: [address] }) => address))
    expect(addresses.size).toBe(200)
    const macs = new Set(endpoints.flat().map(({ mac }) => mac))
    expect(macs.size).toBe(200)
    const reached = await Promise.all(sandboxes.map((sandbox, index) => pings(sandbox, bare(endpoints[(index + 1) % 100]![index % 2]!))))
    expect(reached.filter((ok) => !ok)).toHaveLength(0)
    for (const sandbox of sandboxes.slice(0, 5)) expect(links(sandbox).map(({ ifname }) => ifname)).toEqual(['eth0', 'eth1'])
    await Promise.all(sandboxes.map((sandbox) => sandbox.delete()))
    for (const network of networks) await network.delete()
    expect(controller.sandboxes.size).toBe(0)
  }, 60_000)
})
