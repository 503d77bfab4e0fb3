import { execFileSync } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import net from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Controller, type Endpoint, type Network, type NetworkChanges, type NetworkDriver, type NetworkOptions, type Sandbox } from 'libcnm'
import { memory } from 'libcnm/store/memory'
import dnsPacket from 'dns-packet'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges } from '../tools.js'

const SUBNET = { ipam: { pools: [{ subnet: '10.62.0.0/24' }, { subnet: 'fd00:62::/64' }] } }
const FAMILIES = [4, 6] as const
const address = (endpoint: Endpoint, family: 4 | 6): string =>
  endpoint.addresses.find((each) => each.includes(':') === (family === 6))!.split('/')[0]!
const host = (...command: string[]): string => execFileSync(command[0]!, command.slice(1), { encoding: 'utf8' })

/** Somebody else's driver, whose networks stay as they were made. */
const stubborn: NetworkDriver<unknown, unknown> = {
  name: 'stubborn',
  networkOptions: (raw) => raw,
  network: () => [],
  endpoint: () => [],
  capabilities: { interfaces: false },
}

describe.skipIf(needsPrivileges() ?? needs('ip', 'nft'))('a network that is in use', () => {
  let controller: Controller
  let before: Census
  const clean = async (): Promise<void> => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    for (const network of controller.networks.list()) {
      for (const endpoint of network.endpoints) await endpoint.delete()
      await network.delete()
    }
  }
  beforeAll(async () => {
    controller = await Controller.open({ store: memory(), instance: 'update', drivers: [stubborn] })
    const sandbox = await controller.createSandbox({ name: 'first' })
    const options = { policy: 'allow from a' }
    const network = await controller.createNetwork({ name: 'first', enableIPv6: true, dns: ['127.0.0.1'], options })
    await sandbox.connect(network)
    // The kernel thread opens its sockets once, and keeps them.
    await network.update({ options: { policy: null } })
    await controller.check()
    await sandbox.run('true')
    // The resolver keeps a way back to the host's namespace from its first question to a server on.
    await sandbox.resolve('www.example.test', { signal: AbortSignal.timeout(10_000) }).catch(() => undefined)
    await clean()
    before = await takeCensus()
  })
  afterEach(async () => {
    expect(await controller.check()).toEqual([])
    await clean()
    expect(await leftBehind(before)).toEqual([])
  })
  afterAll(() => controller.close())

  const member = async (
    network: Network,
    name: string,
    labels: Record<string, string> = {},
  ): Promise<{ sandbox: Sandbox; endpoint: Endpoint }> => {
    const sandbox = await controller.createSandbox({ name })
    return { sandbox, endpoint: await sandbox.connect(network, { labels }) }
  }
  const answering = async (network: Network, name: string, labels: Record<string, string> = {}) => {
    const made = await member(network, name, labels)
    const server = await made.sandbox.listen(
      net.createServer((socket) => socket.on('error', () => undefined).end()),
      { port: 80, host: '::' },
    )
    return { ...made, server }
  }
  /** Whether a connection is made. What should come about is waited for, what should not gets a second. */
  const reaches = async (from: Sandbox, to: string, expected: boolean): Promise<boolean> => {
    const until = Date.now() + (expected ? 10_000 : 1000)
    do {
      const socket = await from.dial({ host: to, port: 80, signal: AbortSignal.timeout(expected ? 2000 : 500) }).catch(() => undefined)
      socket?.destroy()
      if (socket !== undefined) return true
      await sleep(20)
    } while (Date.now() < until)
    return false
  }
  const refusal = async (network: Network, changes: NetworkChanges): Promise<{ code?: string; field?: string }> =>
    network.update(changes).then(
      () => ({}),
      (error: { code: string; field: string }) => ({ code: error.code, field: error.field }),
    )
  const create = (more: Partial<NetworkOptions> = {}): Promise<Network> => controller.createNetwork({ name: 'front', ...SUBNET, ...more })

  it('gets a policy, another one, and none again', async () => {
    const network = await create()
    const [web, db] = [await answering(network, 'web', { tier: 'web' }), await answering(network, 'db', { tier: 'db' })]
    const both = async (open: { web: boolean; db: boolean }): Promise<void> => {
      for (const family of FAMILIES) {
        expect(await reaches(web.sandbox, address(db.endpoint, family), open.web)).toBe(open.web)
        expect(await reaches(db.sandbox, address(web.endpoint, family), open.db)).toBe(open.db)
      }
      expect(await controller.check()).toEqual([])
    }
    await both({ web: true, db: true })
    await network.update({ options: { policy: 'allow from tier=web to tier=db tcp/80' } })
    await both({ web: true, db: false })
    await network.update({ options: { policy: 'allow from db' } })
    await both({ web: false, db: true })
    await network.update({ options: { policy: null } })
    await both({ web: true, db: true })
    const settings = host('sysctl', '-n', ...['proxy_arp_pvlan'].map((name) => `net.ipv4.conf.br-${network.id.slice(0, 12)}.${name}`))
    expect(settings.trim()).toBe('0')
    for (const { server } of [web, db]) server.close()
  })

  it('stops and starts letting its endpoints talk to each other', async () => {
    const network = await create()
    const [web, db] = [await member(network, 'web'), await answering(network, 'db')]
    for (const icc of [true, false, true]) {
      await network.update({ options: { 'com.docker.network.bridge.enable_icc': String(icc) } })
      for (const family of FAMILIES) expect(await reaches(web.sandbox, address(db.endpoint, family), icc)).toBe(icc)
    }
    db.server.close()
  })

  it('opens and closes itself to other networks', async () => {
    const network = await create()
    const other = await controller.createNetwork({ name: 'other', ipam: { pools: [{ subnet: '10.63.0.0/24' }] } })
    const [client, db] = [await member(other, 'client'), await answering(network, 'db')]
    for (const [isolate, open] of [
      [null, false],
      ['false', true],
      ['strict', false],
      ['false', true],
      ['true', true],
    ] as const) {
      await network.update({ options: { isolate } })
      const expected = isolate === 'true' ? false : open
      expect(await reaches(client.sandbox, address(db.endpoint, 4), expected)).toBe(expected)
    }
    await network.update({ options: { isolate: null, 'com.docker.network.bridge.gateway_mode_ipv4': 'nat-unprotected' } })
    expect(await reaches(client.sandbox, address(db.endpoint, 4), true)).toBe(true)
    db.server.close()
  })

  it('takes another MTU, metric, and no default route, down to the interfaces inside', async () => {
    const network = await create()
    const { sandbox, endpoint } = await member(network, 'a')
    const inside = async (): Promise<unknown> => {
      const [link] = JSON.parse((await sandbox.run('ip', ['-j', 'link', 'show', 'eth0'])).stdout) as { mtu: number }[]
      const routes = JSON.parse((await sandbox.run('ip', ['-j', 'route', 'show', 'default'])).stdout) as { metric?: number }[]
      return { mtu: link!.mtu, metrics: routes.map(({ metric = 0 }) => metric) }
    }
    await network.update({ options: { mtu: '1400', metric: '300' } })
    expect(await inside()).toEqual({ mtu: 1400, metrics: [300] })
    expect(host('ip', '-br', 'link', 'show', 'type', 'bridge')).toContain(`br-${network.id.slice(0, 12)}`)
    expect((JSON.parse(host('ip', '-j', 'link', 'show', `br-${network.id.slice(0, 12)}`)) as { mtu: number }[])[0]?.mtu).toBe(1400)
    await network.update({ options: { mtu: '1500', no_default_route: 'true' } })
    expect(await inside()).toEqual({ mtu: 1500, metrics: [] })
    await network.update({ options: { no_default_route: null, metric: null } })
    expect(await inside()).toEqual({ mtu: 1500, metrics: [0] })
    expect(endpoint.interfaceName).toBe('eth0')
  })

  it('checks source addresses from now on, and no longer', async () => {
    const network = await create()
    const [a, b] = [await member(network, 'a'), await answering(network, 'b')]
    await a.sandbox.run('ip', ['addr', 'add', '10.62.0.200/24', 'dev', 'eth0'])
    await a.sandbox.run('ip', ['route', 'replace', `${address(b.endpoint, 4)}/32`, 'dev', 'eth0', 'src', '10.62.0.200'])
    for (const checked of [false, true, false]) {
      await network.update({ options: { address_spoof_check: String(checked) } })
      expect(await reaches(a.sandbox, address(b.endpoint, 4), !checked)).toBe(!checked)
    }
    b.server.close()
  })

  it('has other labels, routes and name servers', async () => {
    const network = await create({ labels: { tier: 'web', stage: 'test' } })
    const { sandbox } = await member(network, 'a')
    await network.update({ labels: { stage: null, owner: 'ops' } })
    expect(network.labels).toEqual({ tier: 'web', owner: 'ops' })
    expect(controller.networks.list({ filters: { label: ['owner=ops'] } })).toEqual([network])
    await network.update({ routes: [{ destination: '172.20.0.0/16', gateway: '10.62.0.9' }] })
    expect((await sandbox.run('ip', ['route', 'get', '172.20.0.1'])).stdout).toContain('via 10.62.0.9')
    await network.update({ routes: [] })
    expect((await sandbox.run('ip', ['route', 'get', '172.20.0.1'])).stdout).toContain('via 10.62.0.1')
    const server = dgram.createSocket('udp4', (question, { port, address: from }) => {
      const { id, questions } = dnsPacket.decode(question)
      const answers = [{ type: 'A' as const, name: questions![0]!.name, data: '203.0.113.5' }]
      server.send(dnsPacket.encode({ type: 'response', id, questions, answers: questions![0]!.type === 'A' ? answers : [] }), port, from)
    })
    server.bind(53, '10.62.0.1')
    await once(server, 'listening')
    await network.update({ dns: ['10.62.0.1'] })
    expect(await sandbox.resolve('www.example.test')).toEqual(['203.0.113.5'])
    server.close()
  })

  it('is described as it is by a joining endpoint that meets a change half-way', async () => {
    const network = await create()
    const sandboxes = await Promise.all([...Array(8).keys()].map((n) => controller.createSandbox({ name: `s${n}` })))
    const first = await member(network, 'first')
    await Promise.all([
      ...sandboxes.slice(0, 4).map((sandbox) => sandbox.connect(network)),
      network.update({ options: { mtu: '1380' } }),
      ...sandboxes.slice(4).map((sandbox) => sandbox.connect(network)),
      network.update({ options: { mtu: '1370' } }),
    ])
    for (const sandbox of [first.sandbox, ...sandboxes]) {
      const [link] = JSON.parse((await sandbox.run('ip', ['-j', 'link', 'show', 'eth0'])).stdout) as { mtu: number }[]
      expect(link!.mtu).toBe(1370)
    }
  })

  it('refuses what cannot change, and stays as it was', async () => {
    const network = await create()
    const { endpoint } = await answering(network, 'web').then((made) => (made.server.close(), made))
    const was = network.inspect()
    const rules = host('nft', '-s', 'list', 'ruleset')
    const option = (name: string): string => `com.docker.network.bridge.${name}`
    const refused: [NetworkChanges, string][] = [
      [{ options: { [option('name')]: 'br-other' } }, `options.${option('name')}`],
      [{ options: { mode: 'unmanaged' } }, 'options.mode'],
      [{ options: { vlan: '7' } }, 'options.vlan'],
      [{ options: { vrf: 'red' } }, 'options.vrf'],
      [{ options: { [option('gateway_mode_ipv4')]: 'isolated' } }, `options.${option('gateway_mode_ipv4')}`],
      [{ options: { mtu: '1200' } }, 'options.mtu'],
      [{ options: { isolate: 'perhaps' } }, 'options.isolate'],
      [{ routes: [{ destination: '10.0.0.0/8' }] }, 'routes[0].gateway'],
      [{ internal: true } as NetworkChanges, 'internal'],
      [{ ipam: {} } as NetworkChanges, 'ipam'],
      [{ dns: ['nowhere'] }, 'dns.0'],
    ]
    for (const [changes, field] of refused) {
      expect(await refusal(network, changes)).toEqual({ code: 'ERR_CNM_INVALID_ARGUMENT', field })
    }
    expect(await refusal(network, { options: { isolat: 'true' } })).toMatchObject({ code: 'ERR_CNM_UNKNOWN_OPTION' })
    expect(await refusal(network, { lables: {} } as NetworkChanges)).toMatchObject({ code: 'ERR_CNM_UNKNOWN_OPTION' })
    await endpoint.publish([{ host: 8080, container: 80 }])
    const routed = { [option('gateway_mode_ipv4')]: 'routed' }
    expect(await refusal(network, { options: routed })).toMatchObject({ code: 'ERR_CNM_NETWORK_IN_USE' })
    await endpoint.unpublish([{ host: 8080 }])
    expect(host('nft', '-s', 'list', 'ruleset')).toBe(rules)
    expect(network.inspect()).toEqual(was)
    await network.update({ options: routed })
    expect(network.inspect().Options).toMatchObject(routed)
  })

  it('refuses what the kernel refuses, whole', async () => {
    const network = await create()
    const { sandbox } = await member(network, 'a')
    // Nobody can be reached at this gateway: the kernel says so only when the default route is gone too.
    const changes = { options: { no_default_route: 'true' }, routes: [{ destination: '172.20.0.0/16', gateway: '10.99.0.1' }] }
    expect(await refusal(network, changes)).toMatchObject({ code: 'ERR_CNM_KERNEL' })
    expect(network.inspect().Options).toEqual({})
    expect(network.routes).toEqual([])
    expect((await sandbox.run('ip', ['route', 'get', '172.20.0.1'])).stdout).toContain('via 10.62.0.1')
  })

  it('of a driver that cannot change, changes labels only', async () => {
    const network = await controller.createNetwork({ name: 'other', driver: 'stubborn', options: { a: '1' } })
    await network.update({ labels: { tier: 'web' }, options: { a: '1' } })
    expect(await refusal(network, { options: { a: '2' } })).toEqual({ code: 'ERR_CNM_NOT_SUPPORTED', field: 'options' })
    expect(network.labels).toEqual({ tier: 'web' })
  })

  it('tells who listens', async () => {
    const network = await create()
    const told = new Promise((resolve) => controller.once('network:change', resolve))
    await network.update({ labels: { a: 'b' } })
    expect(await told).toEqual({ network })
    const { text } = await controller.plan((copy) => copy.networks.get('front').update({ options: { mtu: '1400' } }))
    expect(text).toContain('mtu 1400')
  })
})
