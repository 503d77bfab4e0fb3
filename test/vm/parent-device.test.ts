/**
 * macvlan and ipvlan with what only a stock kernel has: VLANs, dummy parents, and ipvlan itself. The tests of
 * test/kernel/macvlan.test.ts run there too.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Controller, type Endpoint, type Network, type Sandbox } from 'libcnm'
import { driverKernelConformance } from 'libcnm/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ipvlan } from '../../drivers/ipvlan/index.js'
import { macvlan } from '../../drivers/macvlan/index.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { IPVLAN_SAMPLES, MACVLAN_VLAN_SAMPLES, UPLINK } from '../drivers/parent-samples.js'
import { sh, succeeds } from '../drivers/world.js'
import { DhcpServer } from '../kernel/dhcp-server.js'
import { LAN, makeLan, removeLan, ROUTERS } from '../kernel/lan.js'

describe('macvlan', () =>
  driverKernelConformance({ driver: macvlan, samples: MACVLAN_VLAN_SAMPLES, prepare: UPLINK, privileged: true, describe, it }))
describe('ipvlan', () =>
  driverKernelConformance({ driver: ipvlan, samples: IPVLAN_SAMPLES, prepare: UPLINK, privileged: true, describe, it }))

interface Link {
  ifname: string
  address: string
  mtu: number
  linkinfo?: { info_kind?: string; info_data?: Record<string, unknown> }
  addr_info: { local: string; family: string }[]
}
type Pool = { subnet: string; gateway?: string; reserved?: Record<string, string> }

const at = (sandbox: Sandbox): string => sandbox.netns.split('/').pop()!
const links = (place = 'host'): Link[] => JSON.parse(sh(place, 'ip', '-j', '-d', 'addr')) as Link[]
const link = (name: string, place?: string): Link | undefined => links(place).find(({ ifname }) => ifname === name)
const pings = (place: string, to: string): Promise<boolean> => succeeds(place, 'ping', '-c1', '-W3', to)
const address = ({ addresses }: Endpoint, n = 0): string => addresses[n]!.split('/')[0]!

describe('networks on a device', () => {
  const stateDir = mkdtempSync(join(tmpdir(), 'cnm-'))
  let before: Census
  let controller: Controller

  const create = (driver: string, name: string, options: Record<string, string>, pools: Pool[]): Promise<Network> =>
    controller.createNetwork({ name, driver, options, ipam: { pools } })
  const box = async (name: string): Promise<Sandbox> => controller.createSandbox({ name })

  beforeAll(() => {
    makeLan()
    sh(
      LAN,
      'sh',
      '-ec',
      [100, 200]
        .map(
          (id) =>
            `ip link add link eth0 name eth0.${id} type vlan id ${id}; ip addr add 10.${id}.0.1/24 dev eth0.${id}; ip link set eth0.${id} up`,
        )
        .join('\n'),
    )
  })
  beforeEach(async () => {
    before = await takeCensus()
    controller = await Controller.open({ stateDir, instance: 'par' })
  })
  afterEach(async () => {
    for (const sandbox of controller.sandboxes.list()) await sandbox.delete()
    for (const network of controller.networks.list()) await network.delete()
    await controller.close()
    expect(await leftBehind(before, { within: 20_000 })).toEqual([])
  })
  afterAll(() => {
    removeLan()
    rmSync(stateDir, { recursive: true })
  })

  it('VLANs of one parent reach each other through a router on the trunk, and in no other way', async () => {
    const [red, blue] = [
      await create('macvlan', 'red', { parent: 'up0.100' }, [{ subnet: '10.100.0.0/24', gateway: '10.100.0.1' }]),
      await create('macvlan', 'blue', { parent: 'up0.200' }, [{ subnet: '10.200.0.0/24', gateway: '10.200.0.1' }]),
    ]
    const [a, b, c] = [await box('a'), await box('b'), await box('c')]
    await a.connect(red)
    const two = await b.connect(red)
    const three = await c.connect(blue)
    const capture = spawn('ip', ['netns', 'exec', LAN, 'tcpdump', '-l', '-n', '-e', '-i', 'eth0', 'vlan', 'and', 'icmp'])
    let text = ''
    capture.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await once(capture.stderr, 'data')

    sh(LAN, 'sh', '-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward')
    expect(await pings(at(a), address(two))).toBe(true)
    expect(await pings(at(a), '10.100.0.1')).toBe(true)
    expect(await pings(at(a), address(three))).toBe(false)
    sh(LAN, 'sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward')
    expect(await pings(at(a), address(three))).toBe(true)

    await expect.poll(() => text, { timeout: 20_000 }).toMatch(/vlan 200.*echo reply/)
    capture.kill()
    await once(capture, 'close')
    // The question comes to the router on one VLAN and leaves on the other.
    const lines = text.split('\n').filter((line) => line.includes(`> ${address(three)}: ICMP echo request`))
    expect(lines.filter((line) => line.includes('vlan 100,')).length).toBeGreaterThan(0)
    expect(lines.filter((line) => line.includes('vlan 200,')).length).toBeGreaterThan(0)
    // What stays within a VLAN and the host does not leave it.
    expect(text).not.toContain(`> ${address(two)}: ICMP echo request`)
  })

  it('a VLAN is made once, and goes with the last network that has it; one that was there stays', async () => {
    sh('host', 'ip', 'link', 'add', 'link', 'up0', 'name', 'up0.300', 'type', 'vlan', 'id', '300')
    try {
      const one = await create('macvlan', 'one', { parent: 'up0.100' }, [{ subnet: '10.1.0.0/24' }])
      const two = await create('macvlan', 'two', { parent: 'up0.100', macvlan_mode: 'private' }, [{ subnet: '10.2.0.0/24' }])
      const three = await create('macvlan', 'three', { parent: 'up0.300' }, [{ subnet: '10.3.0.0/24' }])
      expect(link('up0.100')).toMatchObject({ linkinfo: { info_kind: 'vlan', info_data: { id: 100 } }, addr_info: [] })
      await one.delete()
      expect(link('up0.100')).toBeDefined()
      const a = await box('a')
      const endpoint = await a.connect(two)
      // Somebody takes it away: it comes back, with what was on it.
      sh('host', 'ip', 'link', 'delete', 'up0.100')
      await controller.repair()
      expect(link('eth0', at(a))).toMatchObject({ address: endpoint.mac, addr_info: [{ local: address(endpoint) }] })
      await endpoint.delete({ force: true })
      await two.delete()
      expect(link('up0.100')).toBeUndefined()
      await three.delete()
      expect(link('up0.300')).toBeDefined()
    } finally {
      sh('host', 'ip', 'link', 'delete', 'up0.300')
    }
  })

  it('a VLAN can be made while its device is down, and works when that is up', async () => {
    sh('host', 'ip', 'link', 'set', 'up0', 'down')
    try {
      const network = await create('ipvlan', 'down', { parent: 'up0.100' }, [{ subnet: '10.100.0.0/24' }])
      const a = await box('a')
      await a.connect(network, { addresses: ['10.100.0.9'] })
      sh('host', 'ip', 'link', 'set', 'up0', 'up')
      await expect.poll(() => pings(at(a), '10.100.0.1'), { timeout: 60_000 }).toBe(true)
    } finally {
      sh('host', 'ip', 'link', 'set', 'up0', 'up')
    }
  })

  it.each(['macvlan', 'ipvlan'])('without a parent %s is internal: endpoints reach each other and nobody else', async (driver) => {
    const network = await create(driver, 'alone', {}, [{ subnet: '10.4.0.0/24', gateway: '10.4.0.1' }])
    expect(network.inspect().Internal).toBe(true)
    expect(link(`${driver === 'macvlan' ? 'dm' : 'di'}-${network.id.slice(0, 12)}`)).toMatchObject({ linkinfo: { info_kind: 'dummy' } })
    const [a, b] = [await box('a'), await box('b')]
    await a.connect(network)
    const two = await b.connect(network)
    expect(await pings(at(a), address(two))).toBe(true)
    expect(sh(at(a), 'ip', 'route')).not.toContain('default')
  })

  it('ipvlan l2: all have the MAC of the parent, and addresses of their own', async () => {
    const pools: Pool[] = [
      { subnet: '10.77.0.0/24', gateway: ROUTERS[0], reserved: { host: '10.77.0.20', other: ROUTERS[1] } },
      { subnet: 'fd00:77::/64', reserved: { host: 'fd00:77::20' } },
    ]
    const network = await create('ipvlan', 'flat', { parent: 'up0', host_access: 'true', mtu: '1400' }, pools)
    const [a, b] = [await box('a'), await box('b')]
    const one = await a.connect(network)
    const two = await b.connect(network)
    const { address: mac } = link('up0')!
    expect([one.mac, two.mac, link('eth0', at(a))!.address, link('eth0', at(a))!.mtu]).toEqual([mac, mac, mac, 1400])
    for (const family of [0, 1]) {
      expect(await pings(at(a), address(two, family))).toBe(true)
      expect(await pings('host', address(two, family))).toBe(true)
    }
    expect(await pings(LAN, address(one))).toBe(true)
    expect(await pings(at(b), '10.77.0.20')).toBe(true)
    expect(await pings(at(b), 'fd00:77::20')).toBe(true)
    expect(sh(at(a), 'ip', 'route')).toContain(`default via ${ROUTERS[0]}`)
    await expect(b.connect(network, { name: 'more', mac: '02:00:00:00:00:01' })).rejects.toMatchObject({ field: 'mac' })
    const other = create('ipvlan', 'other', { parent: 'up0', ipvlan_mode: 'l3' }, [{ subnet: '10.78.0.0/24' }])
    await expect(other).rejects.toMatchObject({ field: 'options.ipvlan_mode', message: expect.stringContaining('network flat') })
    const flag = create('ipvlan', 'other', { parent: 'up0', ipvlan_flag: 'private' }, [{ subnet: '10.78.0.0/24' }])
    await expect(flag).rejects.toMatchObject({ field: 'options.ipvlan_flag' })
    await expect(create('ipvlan', 'other', { parent: 'up0', mtu: '1501' }, [{ subnet: '10.78.0.0/24' }])).rejects.toMatchObject({
      field: 'options.mtu',
    })
  })

  it.each(['l3', 'l3s'])('ipvlan %s: the host routes for them, from all of their subnets', async (mode) => {
    const pools = [{ subnet: '10.5.0.0/24' }, { subnet: '10.6.0.0/24' }, { subnet: 'fd00:5::/64' }]
    await expect(
      create('ipvlan', 'wrong', { parent: 'up0', ipvlan_mode: mode }, [{ ...pools[0]!, gateway: '10.5.0.1' }]),
    ).rejects.toMatchObject({
      field: 'ipam.pools.gateway',
    })
    sh('host', 'ip', 'addr', 'add', '10.77.0.10/24', 'dev', 'up0')
    sh(LAN, 'ip', 'route', 'add', '10.5.0.0/16', 'via', '10.77.0.10')
    try {
      const network = await create('ipvlan', 'deep', { parent: 'up0', ipvlan_mode: mode }, pools)
      const [a, b] = [await box('a'), await box('b')]
      const one = await a.connect(network)
      const two = await b.connect(network, { addresses: ['10.6.0.7'] })
      expect(sh(at(a), 'ip', 'route').split('\n')[0]).toMatch(/^default dev eth0/)
      expect(sh(at(a), 'ip', '-6', 'route')).toContain('default dev eth0')
      expect(await pings(at(a), address(two))).toBe(true)
      expect(await pings(at(a), two.addresses.find((text) => text.startsWith('fd00'))!.split('/')[0]!)).toBe(true)
      // There and back again: the question is answered by way of the host's own address.
      expect(await pings(at(a), ROUTERS[0])).toBe(true)
      expect(link('eth0', at(a))).toMatchObject({ linkinfo: { info_data: { mode } } })
      await one.delete({ force: true })
    } finally {
      sh('host', 'ip', 'addr', 'delete', '10.77.0.10/24', 'dev', 'up0')
      sh(LAN, 'ip', 'route', 'delete', '10.5.0.0/16')
    }
  })

  it('ipvlan with flag private keeps endpoints from one another', async () => {
    const network = await create('ipvlan', 'shy', { parent: 'up0', ipvlan_flag: 'private' }, [
      { subnet: '10.77.0.0/24', reserved: { r: ROUTERS[0], s: ROUTERS[1] } },
    ])
    const [a, b] = [await box('a'), await box('b')]
    await a.connect(network)
    const two = await b.connect(network)
    expect(await pings(at(a), address(two))).toBe(false)
    expect(await pings(LAN, address(two))).toBe(true)
  })

  it('ipvlan with flag vepa: through the switch outside, if that sends frames back where they came from', async () => {
    sh('host', 'ip', 'link', 'add', 'own0', 'up', 'type', 'veth', 'peer', 'name', 'own1', 'netns', LAN)
    sh(LAN, 'sh', '-ec', 'ip link add sw0 type bridge; ip link set own1 master sw0 up; ip link set sw0 up')
    try {
      const network = await create('ipvlan', 'out', { parent: 'own0', ipvlan_flag: 'vepa' }, [{ subnet: '10.78.0.0/24' }])
      const [a, b] = [await box('a'), await box('b')]
      await a.connect(network)
      const two = await b.connect(network)
      expect(await pings(at(a), address(two))).toBe(false)
      sh(LAN, 'bridge', 'link', 'set', 'dev', 'own1', 'hairpin', 'on')
      await expect.poll(() => pings(at(a), address(two)), { timeout: 60_000 }).toBe(true)
      for (const sandbox of [a, b]) await sandbox.delete()
      await network.delete()
    } finally {
      sh(LAN, 'ip', 'link', 'del', 'sw0')
      sh('host', 'ip', 'link', 'del', 'own0')
    }
  })

  it('DHCP gives each ipvlan its own address, though all have one MAC', async () => {
    const server = new DhcpServer()
    try {
      await server.start({ range: ['10.77.0.50', '10.77.0.59'], forget: true })
      const network = await controller.createNetwork({
        name: 'dhcp',
        driver: 'ipvlan',
        options: { parent: 'up0' },
        ipam: { driver: 'dhcp' },
      })
      const [a, b] = [await box('a'), await box('b')]
      const one = await a.connect(network)
      const two = await b.connect(network)
      expect(one.mac).toBe(two.mac)
      expect(address(one)).not.toBe(address(two))
      for (const endpoint of [one, two]) expect(endpoint.addresses).toEqual([expect.stringMatching(/^10\.77\.0\.5\d\/24$/)])
      expect(await pings(at(a), address(two))).toBe(true)
      await two.delete({ force: true })
      await server.said(/DHCPRELEASE/)
    } finally {
      await server.stop()
      server.remove()
    }
    const wrong = { name: 'wrong', driver: 'ipvlan', options: { parent: 'up0', ipvlan_mode: 'l3' }, ipam: { driver: 'dhcp' } }
    await expect(controller.createNetwork(wrong)).rejects.toMatchObject({ field: 'options.ipvlan_mode' })
  })
})
