import { describe, expect, it } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import { linkLocalOf, type KernelObjectKind, type ObjectOf } from '../../src/contracts/index.js'
import { endpointView, hostFacts, IPV6, networkView } from '../drivers/views.js'

const driver = bridge()
const of = <K extends KernelObjectKind>(kind: K, description: readonly { kind: string }[]) =>
  description.filter((object): object is ObjectOf<K> => object.kind === kind)
const sysctls = (description: readonly { kind: string }[]) =>
  Object.fromEntries(of('sysctl', description).map(({ at, path, value }) => [`${at} ${path}`, value]))

describe('a bridge network', () => {
  it('is a bridge named after the network, with the gateway address', () => {
    const description = driver.network(networkView(driver), hostFacts())
    expect(of('link', description)).toEqual([
      { kind: 'link', at: 'host', type: 'bridge', name: 'br-0123456789ab', mac: '02:67:89:ab:cd:ef', ipv6AddressGeneration: 'none' },
    ])
    expect(of('address', description)).toEqual([{ kind: 'address', at: 'host', link: 'br-0123456789ab', address: '10.10.0.1/24' }])
    expect(sysctls(description)).toEqual({ 'host net/ipv6/conf/br-0123456789ab/disable_ipv6': '1', 'host net/ipv4/ip_forward': '1' })
  })

  it('has a router address of IPv6 on its own link', () => {
    const description = driver.network(networkView(driver, {}, IPV6), hostFacts())
    expect(of('address', description).slice(1)).toEqual([
      { kind: 'address', at: 'host', link: 'br-0123456789ab', address: 'fd00:10::1/64', noDad: true },
      { kind: 'address', at: 'host', link: 'br-0123456789ab', address: 'fe80::1/64', noDad: true },
    ])
    expect(sysctls(description)).toEqual({
      'host net/ipv6/conf/br-0123456789ab/disable_ipv6': '0',
      'host net/ipv6/conf/br-0123456789ab/accept_ra': '0',
      'host net/ipv4/ip_forward': '1',
      'host net/ipv6/conf/all/forwarding': '1',
    })
  })

  it('keeps a default route that a router advertised, before it lets the host forward', () => {
    const host = hostFacts([], { defaultRoute: { 6: { link: 'eth0', mtu: 1500, advertised: true } } })
    const paths = of('sysctl', driver.network(networkView(driver, {}, IPV6), host)).map(({ path }) => path)
    expect(paths).toContain('net/ipv6/conf/eth0/accept_ra')
    expect(paths.indexOf('net/ipv6/conf/eth0/accept_ra')).toBeLessThan(paths.indexOf('net/ipv6/conf/all/forwarding'))
  })

  it('gives the bridge no IPv4 address when that is inhibited', () => {
    const description = driver.network(networkView(driver, { 'com.docker.network.bridge.inhibit_ipv4': 'true' }, IPV6), hostFacts())
    expect(of('address', description).map(({ address }) => address)).toEqual(['fd00:10::1/64', 'fe80::1/64'])
  })

  it('needs no forwarding when internal, and has a gateway address all the same', () => {
    const description = driver.network(networkView(driver, {}, { internal: true }), hostFacts())
    expect(sysctls(description)).not.toHaveProperty('host net/ipv4/ip_forward')
    expect(of('address', description)).toHaveLength(1)
  })

  it('asks for no gateway where the bridge would not carry it', () => {
    const inhibited = driver.networkOptions({ 'com.docker.network.bridge.inhibit_ipv4': 'true' })
    expect(driver.gateway!(inhibited, 4, true)).toBe('never')
    expect(driver.gateway!(inhibited, 4, false)).toBe('always')
    expect(driver.gateway!(inhibited, 6, true)).toBe('always')
    expect(driver.gateway!(driver.networkOptions({ mode: 'unmanaged' }), 4, false)).toBe('if-asked')
  })

  it('says nothing of IPv6 on a kernel without it', () => {
    const host = hostFacts([], { ipv6: false })
    const text = JSON.stringify([
      driver.network(networkView(driver), host),
      driver.endpoint(endpointView(driver), networkView(driver), host),
    ])
    expect(text).not.toContain('net/ipv6')
  })
})

describe('MTU of a bridge network', () => {
  const mtu = (raw: Record<string, string>, host = hostFacts(), more = {}) =>
    of('link', driver.network(networkView(driver, raw, more), host))[0]!.mtu
  const uplinks = { 4: { link: 'eth0', mtu: 1450 }, 6: { link: 'wg0', mtu: 1420 } }

  it('is that of the link of the default route, of the families in use', () => {
    expect(mtu({}, hostFacts([], { defaultRoute: uplinks }))).toBe(1450)
    expect(mtu({}, hostFacts([], { defaultRoute: uplinks }), IPV6)).toBe(1420)
    expect(mtu({}, hostFacts())).toBeUndefined()
  })

  it('is what was asked for', () => {
    expect(mtu({ mtu: '9000' }, hostFacts([], { defaultRoute: uplinks }))).toBe(9000)
  })

  it('is that of an adopted bridge, which keeps its own', () => {
    const host = hostFacts([{ name: 'br0', mtu: 4000 }], { defaultRoute: uplinks })
    const view = networkView(driver, { 'com.docker.network.bridge.name': 'br0' }, { state: { adopted: true, addresses: [] } })
    expect(of('link', driver.network(view, host))).toEqual([{ kind: 'link', at: 'host', type: 'existing', name: 'br0' }])
    const pair = of('link', driver.endpoint(endpointView(driver), view, host))[0]
    expect(pair).toMatchObject({ mtu: 4000, peer: { mtu: 4000 } })
  })

  it('is lower inside only, where it would lower an adopted bridge', () => {
    const host = hostFacts([{ name: 'br0', mtu: 4000 }])
    const view = networkView(driver, { 'com.docker.network.bridge.name': 'br0', mtu: '1500' }, { state: { adopted: true, addresses: [] } })
    expect(of('link', driver.endpoint(endpointView(driver), view, host))[0]).toMatchObject({ mtu: 4000, peer: { mtu: 1500 } })
  })
})

describe('an endpoint on a bridge', () => {
  it('is a veth pair whose inner end is opened last', () => {
    const description = driver.endpoint(endpointView(driver), networkView(driver, { mtu: '1400' }), hostFacts())
    expect(of('link', description)).toEqual([
      {
        kind: 'link',
        at: 'host',
        type: 'veth',
        name: 'vethfedcba98765',
        mac: 'fe:98:76:54:32:10',
        master: 'br-0123456789ab',
        mtu: 1400,
        ipv6AddressGeneration: 'none',
        peer: { at: 'sandbox', name: 'eth0', mac: '02:42:0a:0a:00:02', up: false, mtu: 1400, ipv6AddressGeneration: 'none' },
      },
      { kind: 'link', at: 'sandbox', type: 'existing', name: 'eth0', up: true },
    ])
    expect(of('address', description)).toEqual([{ kind: 'address', at: 'sandbox', link: 'eth0', address: '10.10.0.2/24' }])
    expect(of('route', description)).toEqual([
      { kind: 'route', at: 'sandbox', destination: 'default', family: 4, gateway: '10.10.0.1', link: 'eth0' },
    ])
    expect(sysctls(description)).toEqual({
      'sandbox net/ipv4/conf/eth0/arp_notify': '1',
      'sandbox net/ipv4/conf/eth0/rp_filter': '2',
      'sandbox net/ipv6/conf/eth0/disable_ipv6': '1',
    })
  })

  it('has the link-local address of its MAC, and a default route per family', () => {
    const addresses = [
      { address: '10.10.0.2/24', family: 4 as const, gateway: '10.10.0.1' },
      { address: 'fd00:10::2/64', family: 6 as const, gateway: 'fd00:10::1' },
    ]
    const description = driver.endpoint(endpointView(driver, {}, { addresses }), networkView(driver, { metric: '77' }, IPV6), hostFacts())
    expect(of('address', description).map(({ address, noDad }) => [address, noDad])).toEqual([
      ['10.10.0.2/24', undefined],
      ['fd00:10::2/64', true],
      ['fe80::42:aff:fe0a:2/64', true],
    ])
    expect(of('route', description).map(({ family, gateway, metric }) => [family, gateway, metric])).toEqual([
      [4, '10.10.0.1', 77],
      [6, 'fd00:10::1', 77],
    ])
    expect(sysctls(description)).toMatchObject({
      'sandbox net/ipv6/conf/eth0/accept_ra': '0',
      'sandbox net/ipv6/conf/eth0/ndisc_notify': '1',
    })
  })

  it('has no default route on an internal network, nor where none is wanted', () => {
    expect(of('route', driver.endpoint(endpointView(driver), networkView(driver, {}, { internal: true }), hostFacts()))).toEqual([])
    expect(of('route', driver.endpoint(endpointView(driver), networkView(driver, { no_default_route: 'true' }), hostFacts()))).toEqual([])
  })

  it('is isolated from its neighbours by its bridge port', () => {
    const description = driver.endpoint(
      endpointView(driver),
      networkView(driver, { 'com.docker.network.bridge.enable_icc': 'false' }),
      hostFacts(),
    )
    expect(of('bridge-port', description)).toEqual([{ kind: 'bridge-port', at: 'host', link: 'vethfedcba98765', isolated: true }])
    expect(of('bridge-port', driver.endpoint(endpointView(driver), networkView(driver), hostFacts()))).toEqual([])
  })

  it('may have a host interface of a given name', () => {
    const description = driver.endpoint(endpointView(driver, { host_interface_name: 'web0' }), networkView(driver), hostFacts())
    expect(of('link', description)[0]!.name).toBe('web0')
  })

  it('is announced as often as it says, else as its network says', () => {
    const network = networkView(driver, { 'com.docker.network.advertise_addr_nmsgs': '2' })
    expect(driver.announcements!(endpointView(driver), network)).toEqual({ count: 2, interval: 1000 })
    expect(driver.announcements!(endpointView(driver, { 'com.docker.network.advertise_addr_nmsgs': '0' }), network)).toEqual({
      count: 0,
      interval: 1000,
    })
  })
})

describe('link-local address of a MAC', () => {
  it.each([
    ['02:42:0a:0a:00:02', 'fe80::42:aff:fe0a:2'],
    ['00:00:5e:00:53:01', 'fe80::200:5eff:fe00:5301'],
    ['fe:ff:ff:ff:ff:ff', 'fe80::fcff:ffff:feff:ffff'],
  ])('%s gives %s', (mac, address) => {
    expect(linkLocalOf(mac)).toBe(address)
  })
})
