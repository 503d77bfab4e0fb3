import { describe, expect, it } from 'vitest'
import type { LinkObject, Place } from '../../src/contracts/kernel-objects.js'
import { deleteGroup, linkStatistics, listLinks, listStatistics, moveLink, readLink, renameLink, setGroup } from '../../src/kernel/rtnetlink/index.js'
import { linksOf, sorted } from './rtnetlink-iproute2.js'
import { lacks, World } from './rtnetlink-world.js'

type Veth = Extract<LinkObject, { type: 'veth' }>
type Bridge = Extract<LinkObject, { type: 'bridge' }>
type Macvlan = Extract<LinkObject, { type: 'macvlan' }>

const veth = (at: Place, peerAt: Place, fields: Partial<Veth> = {}): Veth =>
  ({ kind: 'link', at, type: 'veth', name: 'v0', ...fields, peer: { at: peerAt, name: 'v1', ...fields.peer } }) as Veth
const bridge = (at: Place, name: string, fields: Partial<Bridge> = {}): Bridge => ({ kind: 'link', at, type: 'bridge', name, ...fields }) as Bridge

const shown = (world: World, at: Place, name: string): LinkObject | undefined => linksOf(world, at).find((link) => link.name === name)
const read = (world: World, at: Place, name: string): LinkObject | undefined => readLink(world.session, at, name)

describe('creation', () => {
  it('puts the peer of a veth into its namespace, up, with the indexes that were asked for', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(bridge(a, 'br0'))
    const link = veth(a, b, { index: 1234, master: 'br0', mac: '02:00:00:00:00:0a', alias: 'owner a', peer: { at: b, name: 'eth0', index: 77, mac: '02:00:00:00:00:0b', mtu: 1400, alias: 'owner b', group: 4 } })
    world.create(link)
    expect(shown(world, a, 'v0')).toMatchObject({ index: 1234, master: 'br0', mac: '02:00:00:00:00:0a', alias: 'owner a' })
    expect(shown(world, b, 'eth0')).toMatchObject({ index: 77, mac: '02:00:00:00:00:0b', mtu: 1400, alias: 'owner b', group: 4 })
    for (const [at, name] of [[a, 'v0'], [b, 'eth0']] as const) {
      expect(world.show('ip', at, 'link', 'show', name)[0]).toMatchObject({ operstate: 'UP' })
    }
    expect(listLinks(a, world.session, [b]).find(({ name }) => name === 'v0')).toMatchObject({
      peer: { at: b, name: 'eth0', index: 77, mac: '02:00:00:00:00:0b', mtu: 1400, alias: 'owner b', group: 4 },
    })
    expect(listLinks(b, world.session, [a]).find(({ name }) => name === 'eth0')).toMatchObject({ peer: { at: a, name: 'v0', index: 1234, alias: 'owner a' } })
    expect(read(world, a, 'v0')).toMatchObject({ peer: { at: expect.stringMatching(/^nsid:\d+$/), name: 'eth0' } })
  })

  it('takes one message for a link with index, name, MAC, MTU, master, group and state, and its peer', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(bridge(a, 'br0'))
    const link = veth(a, b, { index: 50, master: 'br0', mac: '02:00:00:00:00:0a', mtu: 1400, group: 3, peer: { at: b, name: 'v1', up: false } })
    expect(world.messages(() => world.handler('link').create(link, world.session, false))).toBe(1)
    expect(shown(world, a, 'v0')).toMatchObject({ index: 50, master: 'br0', mac: '02:00:00:00:00:0a', mtu: 1400, group: 3 })
    expect(shown(world, a, 'v0')!.up).toBeUndefined()
  })

  it('generates no link-local address where none is wanted, at either end', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(veth(a, b, { ipv6AddressGeneration: 'none', peer: { at: b, name: 'v1', ipv6AddressGeneration: 'none' } }))
    for (const [at, name] of [[a, 'v0'], [b, 'v1']] as const) {
      expect(world.show('ip', at, 'link', 'show', name)[0]).toMatchObject({ operstate: 'UP', inet6_addr_gen_mode: 'none' })
      expect(world.show('ip', at, '-6', 'address', 'show', name)).toEqual([])
    }
  })

  it('refuses a name that is taken, and leaves that link alone', () => {
    using world = new World()
    const a = world.place()
    world.create(bridge(a, 'x0'))
    const before = linksOf(world, a)
    expect(() => world.create(bridge(a, 'x0', { mtu: 1400 }))).toThrowError(expect.objectContaining({ errno: 17 }))
    expect(linksOf(world, a)).toEqual(before)
  })

  it.each([
    ['a name that is too long', { name: 'sixteen-letters-' }, 'name'],
    ['a name with a slash', { name: 'a/b' }, 'name'],
    ['a name that the kernel would number', { name: 'veth%d' }, 'name'],
    ['a malformed MAC', { mac: '02:00:00:00:00' }, 'mac'],
    ['an MTU that is no integer', { mtu: 1400.5 }, 'mtu'],
    ['a negative group', { group: -1 }, 'group'],
    ['an alias that is too long', { alias: 'x'.repeat(256) }, 'alias'],
    ['a state that is no boolean', { up: 'no' }, 'up'],
    ['an unknown option', { colour: 'red' }, 'colour'],
    ['an unknown option of a bridge', { bridge: { colour: 'red' } }, 'colour'],
    ['an option of a bridge out of range', { bridge: { priority: 70_000 } }, 'priority'],
    ['an unknown type', { type: 'token-ring' }, 'type'],
    ['an attribute with a name as an unknown one', { unknown: { 3: '6161' } }, 'unknown'],
  ])('refuses %s before the kernel is asked', (_what, fields, field) => {
    using world = new World()
    const a = world.place()
    const before = linksOf(world, a)
    expect(() => world.create({ ...bridge(a, 'x0'), ...fields } as LinkObject)).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_CNM_(INVALID_ARGUMENT|UNKNOWN_OPTION)$/), field }),
    )
    world.session.flush()
    expect(linksOf(world, a)).toEqual(before)
  })

  it('keeps attributes that it has no name for', () => {
    using world = new World()
    const a = world.place()
    world.ip(a, 'link', 'add', 'x0', 'gso_max_size', '40000', 'type', 'bridge')
    const link = read(world, a, 'x0')!
    expect(link.unknown).toEqual({ 41: Buffer.from(new Uint32Array([40000]).buffer).toString('hex'), ...(link.unknown?.[63] === undefined ? {} : { 63: link.unknown[63] }) })
    world.remove(link)
    world.create(link)
    expect(world.show('ip', a, 'link', 'show', 'x0')[0]).toMatchObject({ gso_max_size: 40000 })
    expect(read(world, a, 'x0')).toEqual(link)
  })
})

describe('lower links in another namespace', () => {
  it.each(['macvlan', 'vxlan'] as const)('%s: is made in its own namespace, whatever indexes and names are taken there', (type) => {
    using world = new World()
    const [host, inner] = [world.place('host'), world.place('inner')]
    world.create(veth(host, host))
    for (let i = 0; i < 5; i++) world.create(bridge(host, `b${i}`, { index: 2 + i + (i > 0 ? 100 : 50) }))
    // The host has links of the indexes that would be next, and one of the same name.
    world.create(bridge(host, 'eth0'))
    const link =
      type === 'macvlan'
        ? ({ kind: 'link', at: inner, type, name: 'eth0', parent: { at: host, name: 'v0' }, mode: 'bridge' } as const)
        : ({ kind: 'link', at: inner, type, name: 'eth0', vxlan: { id: 9 }, parent: { at: host, name: 'v0' } } as const)
    world.create(link)
    expect(shown(world, inner, 'eth0')).toMatchObject({ type })
    expect(shown(world, host, 'eth0')).toMatchObject({ type: 'bridge' })
    expect(listLinks(inner, world.session, [host]).find(({ name }) => name === 'eth0')).toMatchObject({ type, parent: { at: host, name: 'v0' } })
    world.change({ ...link }, { ...link, mtu: 1300, mac: '02:00:00:00:00:99' } as LinkObject)
    expect(shown(world, inner, 'eth0')).toMatchObject({ mtu: 1300, mac: '02:00:00:00:00:99' })
    world.remove(link)
    expect(shown(world, inner, 'eth0')).toBeUndefined()
  })

  it('a vxlan has its socket in the underlay', () => {
    using world = new World()
    const [host, inner] = [world.place('host'), world.place('inner')]
    const link = { kind: 'link', at: inner, type: 'vxlan', name: 'vx0', underlay: host, vxlan: { id: 9, port: 4790 } } as const
    world.create(link)
    expect(shown(world, inner, 'vx0')).toMatchObject({ type: 'vxlan', vxlan: { id: 9 } })
    expect(listLinks(inner, world.session, [host]).find(({ name }) => name === 'vx0')).toMatchObject({ underlay: host })
    const sockets = (at: Place): string => world.session.inside(at, () => world.read('/proc/thread-self/net/udp') + world.read('/proc/thread-self/net/udp6'))
    expect(sockets(host)).toContain(':12B6')
    expect(sockets(inner)).not.toContain(':12B6')
  })

  it('refuses an underlay where the lower link is not', () => {
    using world = new World()
    const [host, inner] = [world.place('host'), world.place('inner')]
    world.create(veth(host, host))
    const link = { kind: 'link', at: inner, type: 'vxlan', name: 'vx0', underlay: inner, parent: { at: host, name: 'v0' }, vxlan: { id: 9 } } as const
    expect(() => world.create(link)).toThrowError(expect.objectContaining({ field: 'underlay' }))
  })
})

describe('change', () => {
  it('sends nothing when nothing differs', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    const link = veth(a, b, { alias: 'x', mtu: 1400, peer: { at: b, name: 'v1', alias: 'y' } })
    world.create(link)
    expect(world.messages(() => world.handler('link').change(link, structuredClone(link), world.session))).toBe(0)
  })

  it.each([
    ['MAC', { mac: '02:00:00:00:00:77' }],
    ['MTU', { mtu: 1234 }],
    ['group', { group: 12 }],
    ['alias', { alias: 'the owner' }],
    ['queue length', { txQueueLength: 17 }],
    ['state', { up: false }],
    ['promiscuity', { promiscuous: true }],
    ['all multicast', { allMulticast: true }],
    ['ARP', { arp: false }],
    ['address generation', { ipv6AddressGeneration: 'random' as const }],
    ['several', { mtu: 1300, alias: 'both', group: 3, up: false }],
  ])('%s: is set, and taken back where there is a usual value', (_what, fields) => {
    using world = new World()
    const a = world.place()
    const plain = veth(a, a)
    world.create(plain)
    const before = read(world, a, 'v0')!
    world.change(plain, { ...plain, ...fields })
    const { up, ...others } = fields as Partial<LinkObject>
    expect(shown(world, a, 'v0')).toMatchObject(others)
    expect(shown(world, a, 'v0')!.up ?? true).toBe(up ?? true)
    world.change({ ...plain, ...fields }, { ...plain, mac: before.mac, mtu: before.mtu, txQueueLength: 1000 } as Veth)
    expect(read(world, a, 'v0')).toEqual(before)
  })

  it('moves a port from bridge to bridge, and out', () => {
    using world = new World()
    const a = world.place()
    for (const name of ['br0', 'br1']) world.create(bridge(a, name))
    const link = veth(a, a)
    world.create(link)
    for (const [from, to] of [[undefined, 'br0'], ['br0', 'br1'], ['br1', undefined]] as const) {
      world.change({ ...link, master: from }, { ...link, master: to })
      expect(shown(world, a, 'v0')!.master).toBe(to)
    }
  })

  it('changes options of a bridge and no others', () => {
    using world = new World()
    const a = world.place()
    const from = bridge(a, 'br0', { bridge: { ageingTime: 100, multicastSnooping: false } })
    world.create(from)
    world.ip(a, 'link', 'set', 'br0', 'type', 'bridge', 'mcast_querier', '1')
    world.change(from, bridge(a, 'br0', { bridge: { ageingTime: 200 } }))
    expect(shown(world, a, 'br0')).toMatchObject({ bridge: { ageingTime: 200 } })
    expect(world.show('ip', a, 'link', 'show', 'br0')[0]).toMatchObject({ linkinfo: { info_data: { mcast_querier: 1, mcast_snooping: 1 } } })
  })

  it('changes destination, source and learning of a vxlan', () => {
    using world = new World()
    const a = world.place()
    const vxlan = (options: object): LinkObject => ({ kind: 'link', at: a, type: 'vxlan', name: 'vx0', vxlan: { id: 1, ...options } })
    const states = [{ remote: '192.0.2.1', local: '192.0.2.2' }, { remote: '192.0.2.3', learning: false, ageing: 20 }, {}, { local: '192.0.2.4' }]
    world.create(vxlan(states[0]!))
    states.slice(1).forEach((state, i) => {
      world.change(vxlan(states[i]!), vxlan(state))
      expect(shown(world, a, 'vx0')).toEqual({ ...shown(world, a, 'vx0')!, vxlan: { id: 1, ...state } })
    })
    expect(() => world.change(vxlan(states[3]!), { ...vxlan(states[3]!), vxlan: { id: 2 } } as LinkObject)).toThrowError(expect.objectContaining({ code: 'ERR_CNM_NOT_SUPPORTED' }))
  })

  it('changes mode and sources of a macvlan, and refuses another lower link', () => {
    using world = new World()
    const a = world.place()
    world.create(veth(a, a))
    const macvlan = (fields: Partial<Macvlan>): Macvlan => ({ kind: 'link', at: a, type: 'macvlan', name: 'mv0', parent: { name: 'v0' }, ...fields })
    const states: Partial<Macvlan>[] = [
      { mode: 'private' }, { mode: 'source', sourceMacs: ['02:00:00:00:00:01'] }, { mode: 'source', sourceMacs: ['02:00:00:00:00:02', '02:00:00:00:00:03'] }, { mode: 'source' }, { mode: 'vepa', broadcastQueueLength: 500 },
    ]
    world.create(macvlan(states[0]!))
    states.slice(1).forEach((state, i) => {
      world.change(macvlan(states[i]!), macvlan(state))
      const { sourceMacs, mode, broadcastQueueLength } = shown(world, a, 'mv0') as Macvlan
      expect({ sourceMacs, mode, broadcastQueueLength }).toEqual({ sourceMacs: undefined, broadcastQueueLength: undefined, ...state })
    })
    expect(() => world.change(macvlan({}), macvlan({ parent: { name: 'v1' } }))).toThrowError(expect.objectContaining({ code: 'ERR_CNM_NOT_SUPPORTED' }))
  })

  it('changes the peer of a veth where it is', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    const from = veth(a, b)
    world.create(from)
    world.change(from, veth(a, b, { peer: { at: b, name: 'v1', mtu: 1200, alias: 'peer', up: false, group: 5 } }))
    expect(shown(world, b, 'v1')).toMatchObject({ mtu: 1200, alias: 'peer', up: false, group: 5 })
    expect(shown(world, a, 'v0')).toMatchObject({ mtu: 1500 })
  })

  it('renames and moves', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    const link = { kind: 'link', at: a, type: 'existing', name: 'v0' } as const
    world.create(veth(a, a))
    world.change(link, { ...link, name: 'lan0', mtu: 1400 })
    expect(shown(world, a, 'lan0')).toMatchObject({ mtu: 1400, type: 'veth' })
    world.change({ ...link, name: 'lan0', mtu: 1400 }, { ...link, at: b, name: 'eth0', mtu: 1300 })
    expect(shown(world, a, 'lan0')).toBeUndefined()
    expect(shown(world, b, 'eth0')).toMatchObject({ mtu: 1300, type: 'veth' })
    expect(shown(world, b, 'eth0')!.up).toBeUndefined()
  })
})

describe('replacement', () => {
  it('makes a link that is not there', () => {
    using world = new World()
    const a = world.place()
    world.create(bridge(a, 'br0', { mtu: 1400 }), true)
    expect(shown(world, a, 'br0')).toMatchObject({ type: 'bridge', mtu: 1400 })
  })

  it('changes one that can become the other, without making it anew', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(veth(a, b, { index: 55, alias: 'old', promiscuous: true }))
    world.create(veth(a, b, { alias: 'new', mtu: 1400, peer: { at: b, name: 'v1', alias: 'peer' } }), true)
    expect(shown(world, a, 'v0')).toMatchObject({ index: 55, alias: 'new', mtu: 1400 })
    expect(shown(world, a, 'v0')!.promiscuous).toBeUndefined()
    expect(shown(world, b, 'v1')).toMatchObject({ alias: 'peer' })
  })

  it('makes anew what cannot', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(veth(a, a))
    world.create(veth(a, b), true)
    expect(shown(world, b, 'v1')).toBeDefined()
    expect(shown(world, a, 'v1')).toBeUndefined()
    world.create(bridge(a, 'v0'), true)
    expect(shown(world, a, 'v0')).toMatchObject({ type: 'bridge' })
    expect(shown(world, b, 'v1')).toBeUndefined()
  })
})

describe('a link of somebody else', () => {
  it('is set up, and on removal leaves the bridge and loses the owner, nothing else', () => {
    using world = new World()
    const a = world.place()
    world.ip(a, 'link', 'add', 'x0', 'type', 'veth', 'peer', 'name', 'x1')
    world.create(bridge(a, 'br0'))
    const link = { kind: 'link', at: a, type: 'existing', name: 'x0', master: 'br0', alias: 'ours', mtu: 1400, ipv6AddressGeneration: 'none' } as const
    world.create(link)
    expect(shown(world, a, 'x0')).toMatchObject({ master: 'br0', alias: 'ours', mtu: 1400, ipv6AddressGeneration: 'none' })
    expect(shown(world, a, 'x0')!.up).toBeUndefined()
    world.remove(link)
    const after = shown(world, a, 'x0')!
    expect(after).toMatchObject({ mtu: 1400 })
    expect(after.master).toBeUndefined()
    expect(after.alias).toBeUndefined()
  })

  it('must be there', () => {
    using world = new World()
    expect(() => world.create({ kind: 'link', at: world.place(), type: 'existing', name: 'x0' })).toThrowError(expect.objectContaining({ code: 'ERR_CNM_LINK_NOT_FOUND' }))
  })
})

describe('more about links', () => {
  it('renames one that is up', () => {
    using world = new World()
    const a = world.place()
    world.create(veth(a, a))
    renameLink(world.session, a, 'v0', 'other')
    world.session.flush()
    expect(shown(world, a, 'other')!.up).toBeUndefined()
    expect(shown(world, a, 'v0')).toBeUndefined()
    expect(world.session.linkIndex(a, 'other')).toBe(shown(world, a, 'other')!.index)
    expect(() => world.session.linkIndex(a, 'v0')).toThrowError(expect.objectContaining({ code: 'ERR_CNM_LINK_NOT_FOUND' }))
  })

  it('moves one, down or up, to a namespace that has one of that name', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(veth(a, a))
    world.create(bridge(b, 'v0'))
    moveLink(world.session, { at: a, name: 'v0', to: b, newName: 'eth0' })
    moveLink(world.session, { at: a, name: 'v1', to: b, newName: 'eth1', up: false })
    world.session.flush()
    expect(shown(world, b, 'eth0')).toMatchObject({ type: 'veth' })
    expect(shown(world, b, 'eth0')!.up).toBeUndefined()
    expect(shown(world, b, 'eth1')).toMatchObject({ type: 'veth', up: false })
    expect(shown(world, b, 'v0')).toMatchObject({ type: 'bridge' })
    expect(world.session.linkIndex(b, 'eth0')).toBe(shown(world, b, 'eth0')!.index)
  })

  it('removes a group in one message, and no other link', () => {
    using world = new World()
    const a = world.place()
    const names = Array.from({ length: 20 }, (_, i) => `g${i}`)
    for (const name of [...names, 'stays']) world.create(bridge(a, name))
    setGroup(world.session, a, names, 4242)
    world.session.flush()
    expect(linksOf(world, a).filter(({ group }) => group === 4242).map(({ name }) => name)).toEqual(names)
    deleteGroup(world.session, a, 4242)
    world.session.flush()
    expect(linksOf(world, a).map(({ name }) => name)).toEqual(['lo', 'stays'])
    expect(() => deleteGroup(world.session, a, 0)).toThrowError(expect.objectContaining({ field: 'group' }))
  })

  it('counts what a link has carried', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(veth(a, b, { ipv6AddressGeneration: 'none', peer: { at: b, name: 'v1', ipv6AddressGeneration: 'none' } }))
    for (const [at, name, address] of [[a, 'v0', '10.0.0.1/24'], [b, 'v1', '10.0.0.2/24']] as const) world.create({ kind: 'address', at, link: name, address })
    expect(linkStatistics(world.session, a, 'v0').txPackets).toBe(0)
    world.run(a, 'ping', '-c1', '-W1', '10.0.0.2')
    const [mine, theirs] = [linkStatistics(world.session, a, 'v0'), linkStatistics(world.session, b, 'v1')]
    expect(mine.txPackets).toBeGreaterThanOrEqual(2)
    expect({ packets: mine.txPackets, bytes: mine.txBytes }).toEqual({ packets: theirs.rxPackets, bytes: theirs.rxBytes })
    const [stats] = world.show('ip', a, '-s', 'link', 'show', 'v0')
    expect(stats).toMatchObject({ stats64: { tx: { packets: mine.txPackets, bytes: mine.txBytes }, rx: { packets: mine.rxPackets, bytes: mine.rxBytes } } })
    expect(listStatistics(world.session, a).get(shown(world, a, 'v0')!.index!)).toEqual(mine)
  })

  it('says that a link is not there', () => {
    using world = new World()
    const a = world.place()
    expect(read(world, a, 'none')).toBeUndefined()
    expect(() => linkStatistics(world.session, a, 'none')).toThrowError(expect.objectContaining({ code: 'ERR_CNM_LINK_NOT_FOUND' }))
    expect(() => world.remove(bridge(a, 'none'))).toThrowError(expect.objectContaining({ code: 'ERR_CNM_LINK_NOT_FOUND' }))
  })
})

const noDummy = lacks('dummy links', 'ip link add d0 type dummy')
describe.skipIf(noDummy)('on a stock kernel', () => {
  it('ARP of a dummy can be switched on and back', () => {
    using world = new World()
    const a = world.place()
    const dummy = { kind: 'link', at: a, type: 'dummy', name: 'd0' } as const
    world.create(dummy)
    expect(read(world, a, 'd0')!.arp).toBeUndefined()
    world.change(dummy, { ...dummy, arp: true })
    expect(read(world, a, 'd0')!.arp).toBe(true)
    world.change({ ...dummy, arp: true }, dummy)
    expect(read(world, a, 'd0')!.arp).toBeUndefined()
    expect(sorted(world.list('link', a))).toEqual(sorted(linksOf(world, a)))
  })
})
