import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eachLeavesNothing, openBridgeWorld } from '../drivers/bridge-world.js'
import { bare, type DriverWorld, INSTANCE, sh, succeeds } from '../drivers/world.js'
import { needs, needsPrivileges } from '../tools.js'

interface Link {
  ifname: string
  mtu: number
  address: string
  master?: string
  operstate: string
  flags: string[]
  ifalias?: string
  linkinfo?: { info_kind?: string; info_slave_data?: { isolated?: boolean } }
  addr_info: { local: string; prefixlen: number; scope: string; nodad?: boolean; tentative?: boolean }[]
}
const links = (at = 'host'): Link[] => JSON.parse(sh(at, 'ip', '-j', '-d', 'addr')) as Link[]
const link = (name: string, at?: string): Link | undefined => links(at).find(({ ifname }) => ifname === name)
const routes = (at: string, family: '-4' | '-6'): { dst: string; gateway?: string; dev: string; metric?: number }[] =>
  JSON.parse(sh(at, 'ip', '-j', family, 'route')) as { dst: string; gateway?: string; dev: string }[]
const sysctl = (at: string, path: string): string => sh(at, 'cat', `/proc/sys/net/${path}`).trim()
// The first packet after a join may be lost while the kernel still activates the link, and ARP asks again after a second.
const pings = (at: string, to: string): Promise<boolean> => succeeds(at, 'ping', '-c3', '-i0.3', '-W1', to)
const prefixes = ({ addr_info }: Link): string[] => addr_info.map(({ local, prefixlen }) => `${local}/${prefixlen}`)

describe.skipIf(needsPrivileges() ?? needs('ip', 'ping', 'tcpdump'))('bridge networks', () => {
  let world: DriverWorld
  beforeAll(async () => {
    world = await openBridgeWorld()
  })
  eachLeavesNothing(() => world)

  it('connect their endpoints with one another and with the host, in both families', async () => {
    const network = await world.network()
    const [a, b] = [await world.join('a', network), await world.join('b', network)]
    for (const family of [4, 6] as const) {
      expect(await pings('a', bare(b, family))).toBe(true)
      expect(await pings('a', network.subnets.find((each) => each.family === family)!.gateway!)).toBe(true)
      expect(await pings('host', bare(a, family))).toBe(true)
    }
  })

  it('are a bridge that is named, owned and addressed as described', async () => {
    const network = await world.network()
    const made = link(`br-${network.shortId}`)!
    expect(made).toMatchObject({ linkinfo: { info_kind: 'bridge' }, ifalias: `libcnm:${INSTANCE}:network/${network.id}` })
    expect(made.address.startsWith('02:')).toBe(true)
    expect(prefixes(made).sort()).toEqual([`${network.subnets[0]!.gateway}/24`, `${network.subnets[1]!.gateway}/64`, 'fe80::1/64'].sort())
    expect(made.addr_info.filter(({ tentative }) => tentative)).toEqual([])
    expect(sysctl('host', `ipv6/conf/${made.ifname}/accept_ra`)).toBe('0')
    expect([sysctl('host', 'ipv4/ip_forward'), sysctl('host', 'ipv6/conf/all/forwarding')]).toEqual(['1', '1'])
  })

  it('give endpoints their MAC, addresses, default routes and deafness to advertised routers', async () => {
    const network = await world.network({ metric: '50' })
    const a = await world.join('a', network)
    const inner = link('eth0', 'a')!
    expect(inner.address).toBe(a.view.mac)
    expect(prefixes(inner).sort()).toEqual(
      [...a.view.addresses.map(({ address }) => address), `fe80::42:aff:fe00:${a.view.mac.slice(-2)}/64`].sort(),
    )
    expect(inner.addr_info.filter(({ tentative }) => tentative)).toEqual([])
    for (const [family, subnet] of [
      ['-4', network.subnets[0]!],
      ['-6', network.subnets[1]!],
    ] as const) {
      expect(routes('a', family).filter(({ dst }) => dst === 'default')).toMatchObject([
        { gateway: subnet.gateway, dev: 'eth0', metric: 50 },
      ])
    }
    expect(sysctl('a', 'ipv6/conf/eth0/accept_ra')).toBe('0')
    const outer = links().find(({ ifname }) => ifname.startsWith('veth'))!
    expect(outer).toMatchObject({ master: `br-${network.shortId}`, ifalias: `libcnm:${INSTANCE}:endpoint/${a.view.id}` })
    expect(outer.addr_info).toEqual([])
  })

  it('give an endpoint the name on the host that it asks for', async () => {
    const network = await world.network()
    await world.join('a', network, { host_interface_name: 'web0' })
    expect(link('web0')).toMatchObject({ master: `br-${network.shortId}`, linkinfo: { info_kind: 'veth' } })
  })

  it('keep IPv6 out of where it was not asked for', async () => {
    const network = await world.network({}, { ipv6: false })
    await world.join('a', network)
    expect(link('eth0', 'a')!.addr_info.map(({ local }) => local)).toEqual([expect.stringMatching(/^10\./)])
    expect(sysctl('a', 'ipv6/conf/eth0/disable_ipv6')).toBe('1')
    expect(link(`br-${network.shortId}`)!.addr_info).toHaveLength(1)
  })

  it('have no default route when internal', async () => {
    await world.join('a', await world.network({}, { internal: true }))
    expect([...routes('a', '-4'), ...routes('a', '-6')].filter(({ dst }) => dst === 'default')).toEqual([])
  })

  it('keep endpoints from one another, not from the host, when there is to be no communication', async () => {
    const network = await world.network({ 'com.docker.network.bridge.enable_icc': 'false' })
    const [, b] = [await world.join('a', network), await world.join('b', network)]
    expect(await pings('a', bare(b, 4))).toBe(false)
    expect(await pings('a', bare(b, 6))).toBe(false)
    expect(await pings('a', network.subnets[0]!.gateway!)).toBe(true)
    expect(await pings('host', bare(b, 6))).toBe(true)
  })

  it('announce addresses when the kernel is asked to', async () => {
    const network = await world.network()
    const [a] = [await world.join('a', network), await world.join('witness', network)]
    const capture = spawn('ip', ['netns', 'exec', 'witness', 'tcpdump', '-l', '-n', '-i', 'eth0', 'arp or icmp6'])
    let text = ''
    capture.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
    await once(capture.stderr, 'data')
    await sleep(200)
    await world.kernel.announce('/run/netns/a', 'eth0')
    const expected = [`who-has ${bare(a, 4)} tell ${bare(a, 4)}`, `neighbor advertisement, tgt is ${bare(a, 6)}`]
    for (let tries = 0; tries < 40 && !expected.every((line) => text.includes(line)); tries++) await sleep(50)
    capture.kill()
    await once(capture, 'exit')
    for (const line of expected) expect(text).toContain(line)
  })

  describe('on a host with an uplink', () => {
    beforeAll(() =>
      sh(
        'host',
        'sh',
        '-c',
        'ip link add up0 mtu 1400 type veth peer name up1 && ip link set up0 addrgenmode none && ip link set up1 addrgenmode none && ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up && ip link set up1 up && ip route add default via 192.0.2.2',
      ),
    )
    afterAll(() => sh('host', 'ip', 'link', 'delete', 'up0'))

    it('take the MTU of the link of the default route, everywhere', async () => {
      const network = await world.network({}, { ipv6: false })
      await world.join('a', network)
      expect([
        link(`br-${network.shortId}`)!.mtu,
        link('eth0', 'a')!.mtu,
        links().find(({ ifname }) => ifname.startsWith('veth'))!.mtu,
      ]).toEqual([1400, 1400, 1400])
    })
  })

  describe('on a bridge that is there already', () => {
    // A first port settles what a bridge takes from its ports once and for all.
    beforeAll(() =>
      sh(
        'host',
        'sh',
        '-c',
        'ip link add own0 address 02:00:00:00:02:00 type bridge && ip link set own0 addrgenmode none mtu 1450 && ip addr add 10.200.0.1/24 dev own0 && ip link set own0 up && ip link add t0 mtu 1450 master own0 up type veth peer name t1 && ip link set t1 up && sleep 0.2 && ip link delete t0',
      ),
    )
    afterAll(() => sh('host', 'ip', 'link', 'delete', 'own0'))
    const subnets = [{ subnet: '10.200.0.0/24', family: 4 as const, gateway: '10.200.0.1', reserved: {} }]

    it('adopt it, and leave it as it was', async () => {
      const accepts = sysctl('host', 'ipv6/conf/own0/accept_ra')
      const network = await world.network({ 'com.docker.network.bridge.name': 'own0' }, { ipv6: false, subnets })
      await world.join('a', network)
      expect(await pings('a', '10.200.0.1')).toBe(true)
      expect([link('own0')!.mtu, link('eth0', 'a')!.mtu]).toEqual([1450, 1450])
      await world.clear()
      expect(sysctl('host', 'ipv6/conf/own0/accept_ra')).toBe(accepts)
      expect(prefixes(link('own0')!)).toContain('10.200.0.1/24')
    })

    it('do not lower its MTU', async () => {
      const network = await world.network({ 'com.docker.network.bridge.name': 'own0', mtu: '1300' }, { ipv6: false, subnets })
      await world.join('a', network)
      expect([link('own0')!.mtu, link('eth0', 'a')!.mtu]).toEqual([1450, 1300])
    })

    it('leave even its settings alone when unmanaged', async () => {
      const network = await world.network({ 'com.docker.network.bridge.name': 'own0', mode: 'unmanaged' }, { ipv6: false, subnets })
      await world.join('a', network)
      expect(await pings('a', '10.200.0.1')).toBe(true)
      expect(prefixes(link('own0')!).filter((prefix) => prefix.startsWith('10.'))).toEqual(['10.200.0.1/24'])
    })

    it('refuse it when another network has it', async () => {
      await world.network({ 'com.docker.network.bridge.name': 'own0' }, { ipv6: false, subnets })
      await expect(world.network({ 'com.docker.network.bridge.name': 'own0' }, { ipv6: false, subnets })).rejects.toMatchObject({
        code: 'ERR_CNM_LINK_EXISTS',
      })
    })
  })

  it('say that they switch forwarding on', async () => {
    sh('host', 'sh', '-c', 'echo 0 > /proc/sys/net/ipv4/ip_forward')
    world.warnings.length = 0
    await world.network({}, { ipv6: false })
    expect(world.warnings).toEqual([expect.stringContaining('net.ipv4.ip_forward is switched on')])
    expect(sysctl('host', 'ipv4/ip_forward')).toBe('1')
    await world.network({}, { ipv6: false })
    expect(world.warnings).toHaveLength(1)
  })
})
