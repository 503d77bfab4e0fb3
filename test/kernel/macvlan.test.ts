import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type Endpoint, type Network, type Sandbox } from 'libcnm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { sh, succeeds } from '../drivers/world.js'
import { needs, needsPrivileges } from '../tools.js'
import { LAN, makeLan, removeLan, ROUTERS } from './lan.js'

interface Link {
  ifname: string
  ifindex: number
  mtu: number
  address: string
  flags: string[]
  promiscuity: number
  linkinfo?: { info_kind?: string; info_data?: Record<string, unknown> }
  addr_info: { local: string; prefixlen: number }[]
}
const at = (sandbox: Sandbox): string => sandbox.netns.split('/').pop()!
const links = (place = 'host'): Link[] => JSON.parse(sh(place, 'ip', '-j', '-d', 'addr')) as Link[]
const link = (name: string, place?: string): Link | undefined => links(place).find(({ ifname }) => ifname === name)
const defaults = (sandbox: Sandbox): unknown[] =>
  (['-4', '-6'] as const).flatMap((family) =>
    (JSON.parse(sh(at(sandbox), 'ip', '-j', family, 'route')) as { dst: string; gateway?: string; metric?: number }[])
      .filter(({ dst }) => dst === 'default')
      .map(({ gateway, metric }) => [gateway, metric ?? 0]),
  )
const pings = (place: string, to: string): Promise<boolean> => succeeds(place, 'ping', '-c1', '-W1', to)
const bare = ({ addresses }: Endpoint, family: 4 | 6 = 4): string =>
  addresses.map((address) => address.split('/')[0]!).find((address) => net.isIP(address) === family)!

/** What the kernel says of eth0, attribute by attribute: ip(8) of many distributions does not know all of them. */
const macvlanNumbers = (place: string): unknown => JSON.parse(sh(place, 'python3', '-c', READ_NUMBERS))
const READ_NUMBERS = `
import json, socket, struct
def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack('=HH', data[:4])
        found[kind & 0x3fff] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
s.send(struct.pack('=IHHIIBBHiII', 32, 18, 1, 1, 0, 0, 0, 0, socket.if_nametoindex('eth0'), 0, 0))
link = attributes(s.recv(65536)[32:])
data = attributes(attributes(link[18])[2])
number = lambda kind, form: struct.unpack(form, data[kind])[0]
print(json.dumps({'IFLA_MACVLAN_BC_QUEUE_LEN': number(7, '=I'), 'IFLA_MACVLAN_BC_CUTOFF': number(9, '=i')}))
`

/** The host's events arrive in their own time. */
const PATIENCE = { timeout: 15_000, interval: 100 }

const V4 = { subnet: '10.77.0.0/24', range: '10.77.0.128/25' }
const V6 = { subnet: 'fd00:77::/64' }

describe.skipIf(needsPrivileges() ?? needs('ip', 'ping', 'bridge'))('macvlan networks', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  let before: Census
  let controller: Controller
  let warnings: string[]

  const open = async (): Promise<void> => {
    controller = await Controller.open({ stateDir, instance: 'mv' })
    controller.on('warning', ({ message }) => warnings.push(message))
  }
  const create = (
    options: Record<string, string> = {},
    pools: { subnet: string; gateway?: string; range?: string; reserved?: Record<string, string> }[] = [V4],
    more: object = {},
  ): Promise<Network> =>
    controller.createNetwork({ name: 'lan', driver: 'macvlan', ipam: { pools }, options: { parent: 'up0', ...options }, ...more })
  const connect = async (network: Network, name: string, more: object = {}): Promise<[Sandbox, Endpoint]> => {
    const sandbox = controller.sandboxes.list().find((known) => known.name === name) ?? (await controller.createSandbox({ name }))
    return [sandbox, await sandbox.connect(network, more)]
  }

  beforeAll(() => {
    makeLan()
    sh('host', 'ip', 'addr', 'add', '10.77.0.10/24', 'dev', 'up0')
    sh('host', 'ip', 'addr', 'add', 'fd00:77::10/64', 'dev', 'up0', 'nodad')
    sh(LAN, 'ip', 'addr', 'add', 'fd00:77::fe/64', 'dev', 'eth0', 'nodad')
  })
  beforeEach(async () => {
    before = await takeCensus()
    warnings = []
    await open()
  })
  afterEach(async () => {
    for (const box of controller.sandboxes.list()) await box.delete()
    for (const each of controller.networks.list()) await each.delete()
    await controller.close()
    expect(await leftBehind(before)).toEqual([])
  })
  afterAll(() => {
    removeLan()
    rmSync(stateDir, { recursive: true })
  })

  it('put endpoints on the network of the parent, and leave the parent as it is', async () => {
    const parent = link('up0')
    const network = await create({}, [V4, V6])
    const [a, one] = await connect(network, 'a')
    const [b, two] = await connect(network, 'b')
    for (const family of [4, 6] as const) {
      expect(await pings(at(a), bare(two, family))).toBe(true)
      expect(await pings(LAN, bare(one, family))).toBe(true)
      // The kernel keeps the parent's own stack apart.
      expect(await pings('host', bare(one, family))).toBe(false)
    }
    expect(await pings(at(b), ROUTERS[0])).toBe(true)
    expect(link('eth0', at(a))).toMatchObject({ mtu: 1500, address: one.mac, linkinfo: { info_data: { mode: 'bridge' } } })
    // The kernel itself lets a device without filter for MACs take in all frames while there is somebody on it.
    expect({ ...link('up0')!, promiscuity: 0 }).toEqual(parent)
    expect((await a.run('getent', ['ahostsv4', 'b'])).stdout).toContain(bare(two))
  })

  it('have a default route only through a gateway that was asked for', async () => {
    const without = await create()
    const [a] = await connect(without, 'a')
    expect(defaults(a)).toEqual([])
    await a.delete()
    await without.delete()
    const network = await create({ metric: '7' }, [
      { ...V4, gateway: ROUTERS[0] },
      { ...V6, gateway: 'fd00:77::fe' },
    ])
    const [b] = await connect(network, 'b')
    expect(defaults(b)).toEqual([
      [ROUTERS[0], 7],
      ['fd00:77::fe', 7],
    ])
    await b.delete()
    await network.delete()
    const [c] = await connect(await create({ no_default_route: 'true' }, [{ ...V4, gateway: ROUTERS[0] }]), 'c')
    expect(defaults(c)).toEqual([])
  })

  it('in mode private keep endpoints from one another', async () => {
    const network = await create({ macvlan_mode: 'private' })
    const [a] = await connect(network, 'a')
    const [, two] = await connect(network, 'b')
    expect(await pings(at(a), bare(two))).toBe(false)
    expect(await pings(LAN, bare(two))).toBe(true)
  })

  it('in mode vepa reach one another through the switch outside, if that sends frames back where they came from', async () => {
    sh('host', 'ip', 'link', 'add', 'own0', 'up', 'type', 'veth', 'peer', 'name', 'own1', 'netns', LAN)
    const switched = `ip link add sw0 type bridge
                      ip link set own1 master sw0 up
                      ip link set sw0 up`
    sh(LAN, 'sh', '-ec', switched)
    try {
      const network = await create({ parent: 'own0', macvlan_mode: 'vepa' }, [{ subnet: '10.78.0.0/24' }])
      const [a] = await connect(network, 'a')
      const [b, two] = await connect(network, 'b')
      expect(link('eth0', at(b))).toMatchObject({ linkinfo: { info_data: { mode: 'vepa' } } })
      expect(await pings(at(a), bare(two))).toBe(false)
      sh(LAN, 'bridge', 'link', 'set', 'dev', 'own1', 'hairpin', 'on')
      await expect.poll(() => pings(at(a), bare(two)), PATIENCE).toBe(true)
      // The kernel hands nothing on inside the host: the switch saw the MACs of both.
      const seen = sh(LAN, 'bridge', 'fdb', 'show', 'br', 'sw0')
      for (const { mac } of network.endpoints) expect(seen).toContain(mac)
      sh(LAN, 'bridge', 'link', 'set', 'dev', 'own1', 'hairpin', 'off')
      expect(await pings(at(a), bare(two))).toBe(false)
      for (const sandbox of [a, b]) await sandbox.delete()
      await network.delete()
    } finally {
      sh(LAN, 'ip', 'link', 'del', 'sw0')
      sh('host', 'ip', 'link', 'del', 'own0')
    }
  })

  it.skipIf(needs('python3'))('leave as many broadcasts to the queue as they are told, where the kernel knows that', async () => {
    const network = await create({ bclim: '-1', bcqueuelen: '50' })
    const joined = await connect(network, 'a').catch((error: unknown) => error as { code: string })
    if (!Array.isArray(joined)) return expect(joined.code).toBe('ERR_CNM_NOT_SUPPORTED')
    expect(macvlanNumbers(at(joined[0]))).toEqual({ IFLA_MACVLAN_BC_QUEUE_LEN: 50, IFLA_MACVLAN_BC_CUTOFF: -1 })
    await joined[0].delete()
    await network.delete()
    const [b] = await connect(await create({ bclim: '7' }), 'b')
    expect(macvlanNumbers(at(b))).toEqual({ IFLA_MACVLAN_BC_QUEUE_LEN: 1000, IFLA_MACVLAN_BC_CUTOFF: 7 })
  })

  it('in mode source hear only whom they are told to', async () => {
    const router = link('eth0', LAN)!.address
    const network = await create({ macvlan_mode: 'source', source_macs: router })
    const [, one] = await connect(network, 'a')
    expect(await pings(LAN, bare(one))).toBe(true)
    const [, deaf] = await connect(network, 'b', { options: { source_macs: '02:00:00:00:00:01' } })
    expect(await pings(LAN, bare(deaf))).toBe(false)
    await network.endpoints[0]!.delete({ force: true })
    await expect(create({ source_macs: router }, [{ subnet: '10.78.0.0/24' }], { name: 'other' })).rejects.toMatchObject({
      code: 'ERR_CNM_INVALID_ARGUMENT',
      field: 'options.source_macs',
    })
  })

  it('in mode passthru have the parent to themselves, with its MAC', async () => {
    const { address } = link('up0')!
    const network = await create({ macvlan_mode: 'passthru' })
    const [a, one] = await connect(network, 'a')
    expect([one.mac, link('eth0', at(a))!.address]).toEqual([address, address])
    expect(await pings(at(a), ROUTERS[0])).toBe(true)
    await expect(connect(network, 'b')).rejects.toMatchObject({ code: 'ERR_CNM_KERNEL' })
    await expect(connect(network, 'b', { mac: '02:00:00:00:00:01' })).rejects.toMatchObject({ field: 'mac' })
    const other = (options: Record<string, string>): Promise<Network> => create(options, [{ subnet: '10.78.0.0/24' }], { name: 'other' })
    await expect(other({})).rejects.toMatchObject({ field: 'options.parent', message: expect.stringContaining('network lan') })
    await expect(other({ macvlan_mode: 'passthru' })).rejects.toMatchObject({ field: 'options.parent' })
    expect(link('up0')!.address).toBe(address)
  })

  it('take an MTU that the parent can carry, and queues', async () => {
    await expect(create({ mtu: '1501' })).rejects.toMatchObject({ field: 'options.mtu', message: expect.stringContaining('1500') })
    const [a] = await connect(await create({ 'com.docker.network.driver.mtu': '1400', bcqueuelen: '77' }), 'a')
    expect(link('eth0', at(a))).toMatchObject({ mtu: 1400, linkinfo: { info_data: { bcqueuelen: 77 } } })
  })

  it('may be several on one parent, and several subnets', async () => {
    const network = await create({}, [V4, { subnet: '10.79.0.0/24' }])
    const [a] = await connect(network, 'a')
    const [, two] = await connect(network, 'b', { addresses: ['10.79.0.5'] })
    const [, three] = await connect(network, 'c', { addresses: ['10.77.0.140', '10.79.0.6'] })
    expect([two.addresses, three.addresses]).toEqual([['10.79.0.5/24'], ['10.77.0.140/24', '10.79.0.6/24']])
    expect(await pings(at(a), '10.77.0.140')).toBe(true)
    const other = await create({}, [{ subnet: '10.78.0.0/24' }], { name: 'other' })
    await connect(other, 'd')
  })

  describe('with access from the host', () => {
    const reach = async (from: string, sandbox: Sandbox, address: string): Promise<void> => {
      expect(await pings('host', address)).toBe(true)
      expect(await pings(at(sandbox), from)).toBe(true)
    }

    it('by the address that the host has', async () => {
      const network = await create({ host_access: 'true' }, [V4, V6])
      const [a, one] = await connect(network, 'a')
      await reach('10.77.0.10', a, bare(one))
      await reach('fd00:77::10', a, bare(one, 6))
      // The others on the network still find the host where it was, and only there.
      sh(LAN, 'ip', 'neigh', 'flush', 'dev', 'eth0')
      expect(await pings(LAN, '10.77.0.10')).toBe(true)
      expect(sh(LAN, 'ip', 'neigh', 'show', '10.77.0.10')).toContain(link('up0')!.address)
      await one.delete({ force: true })
      expect(sh('host', 'ip', 'route')).not.toContain(bare(one))
    })

    it('by an address that is reserved for it', async () => {
      const pools = [
        { ...V4, reserved: { host: '10.77.0.20' } },
        { ...V6, reserved: { host: 'fd00:77::20' } },
      ]
      const network = await create({ host_access: 'true' }, pools)
      const [a, one] = await connect(network, 'a')
      await reach('10.77.0.20', a, bare(one))
      await reach('fd00:77::20', a, bare(one, 6))
      const shim = links().find(({ ifname }) => ifname.startsWith('mh-'))!
      sh('host', 'ip', 'link', 'delete', shim.ifname)
      expect(await pings('host', bare(one))).toBe(false)
      await controller.repair()
      await reach('10.77.0.20', a, bare(one))
      await reach('fd00:77::20', a, bare(one, 6))
    })

    it('is refused where it would not work', async () => {
      await expect(create({ host_access: 'true', macvlan_mode: 'private' })).rejects.toMatchObject({ field: 'options.host_access' })
      await expect(create({ host_access: 'true' }, [{ subnet: '10.78.0.0/24' }])).rejects.toMatchObject({
        field: 'options.host_access',
        message: expect.stringContaining('10.78.0.0/24'),
      })
    })
  })

  it('name a parent that is not there, and cannot be made', async () => {
    for (const parent of ['nosuch0', 'nosuch0.5', 'up0.4095', 'up0.0'])
      await expect(create({ parent })).rejects.toMatchObject({ code: 'ERR_CNM_LINK_NOT_FOUND', field: 'options.parent' })
    await expect(create({ parent: 'lo' })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'options.parent' })
  })

  describe('on a parent that goes its own ways', () => {
    beforeEach(() => {
      sh('host', 'ip', 'link', 'add', 'own0', 'type', 'veth', 'peer', 'name', 'own1')
    })
    afterEach(async () => {
      for (const box of controller.sandboxes.list()) await box.delete()
      for (const name of ['own0', 'was0']) if (link(name) !== undefined) sh('host', 'ip', 'link', 'delete', name)
    })
    const on = (): Promise<Network> => create({ parent: 'own0' }, [{ subnet: '10.78.0.0/24' }])

    it('say that it is down, and work when it is up', async () => {
      const [a] = await connect(await on(), 'a')
      expect(warnings).toEqual([expect.stringContaining('parent own0 of network lan is down')])
      sh('host', 'ip', 'link', 'set', 'own0', 'up')
      sh('host', 'ip', 'link', 'set', 'own1', 'up')
      await expect.poll(() => sh(at(a), 'cat', '/sys/class/net/eth0/operstate').trim(), PATIENCE).toBe('up')
    })

    it('refuse joins while it is gone, and come back with it', async () => {
      const network = await on()
      const [a, one] = await connect(network, 'a')
      sh('host', 'ip', 'link', 'delete', 'own0')
      expect(link('eth0', at(a))).toBeUndefined()
      await expect
        .poll(() => connect(network, 'b').catch((error: unknown) => error), PATIENCE)
        .toMatchObject({ code: 'ERR_CNM_LINK_NOT_FOUND', message: expect.stringContaining('own0') })
      sh('host', 'ip', 'link', 'add', 'own0', 'type', 'veth', 'peer', 'name', 'own1')
      await expect.poll(() => controller.repair().then(() => link('eth0', at(a))?.address), PATIENCE).toBe(one.mac)
      expect(link('eth0', at(a))!.addr_info).toMatchObject([{ local: bare(one) }])
    })

    it('keep what they have when it gets another name', async () => {
      const network = await on()
      const [a, one] = await connect(network, 'a')
      sh('host', 'ip', 'link', 'set', 'own0', 'name', 'was0')
      await expect
        .poll(() => connect(network, 'b').catch((error: unknown) => error), PATIENCE)
        .toMatchObject({ code: 'ERR_CNM_LINK_NOT_FOUND' })
      expect(link('eth0', at(a))!.address).toBe(one.mac)
      expect((await controller.check()).map(({ object }) => object)).toEqual([])
    })
  })

  it('are there again after a restart, and when somebody took them away', async () => {
    const network = await create({ host_access: 'true' })
    const [a, one] = await connect(network, 'a')
    await controller.close()
    sh(at(a), 'ip', 'link', 'delete', 'eth0')
    await open()
    expect(link('eth0', at(a))!.address).toBe(one.mac)
    expect(await pings('host', bare(one))).toBe(true)
  })
})
