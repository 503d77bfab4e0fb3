import { release } from 'node:os'
import { describe, expect, it } from 'vitest'
import type { LinkObject } from '../../src/contracts/kernel-objects.js'
import { linksOf, sorted } from './rtnetlink-iproute2.js'
import { bridge, read, shown, veth, type Macvlan } from './rtnetlink-link-scene.js'
import { lacks, World } from './rtnetlink-world.js'

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
    world.change({ ...plain, ...fields }, { ...plain, mac: before.mac, mtu: before.mtu, txQueueLength: 1000 })
    expect(read(world, a, 'v0')).toEqual(before)
  })

  it('moves a port from bridge to bridge, and out', () => {
    using world = new World()
    const a = world.place()
    for (const name of ['br0', 'br1']) world.create(bridge(a, name))
    const link = veth(a, a)
    world.create(link)
    for (const [from, to] of [
      [undefined, 'br0'],
      ['br0', 'br1'],
      ['br1', undefined],
    ] as const) {
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
    expect(world.show('ip', a, 'link', 'show', 'br0')[0]).toMatchObject({
      linkinfo: { info_data: { mcast_querier: 1, mcast_snooping: 1 } },
    })
  })

  it('changes destination, source and learning of a vxlan', () => {
    using world = new World()
    const a = world.place()
    const vxlan = (options: object): LinkObject => ({ kind: 'link', at: a, type: 'vxlan', name: 'vx0', vxlan: { id: 1, ...options } })
    const states = [
      { remote: '192.0.2.1', local: '192.0.2.2' },
      { remote: '192.0.2.3', learning: false, ageing: 20 },
      {},
      { local: '192.0.2.4' },
    ]
    world.create(vxlan(states[0]!))
    states.slice(1).forEach((state, i) => {
      world.change(vxlan(states[i]!), vxlan(state))
      expect(shown(world, a, 'vx0')).toEqual({ ...shown(world, a, 'vx0')!, vxlan: { id: 1, ...state } })
    })
    expect(() => world.change(vxlan(states[3]!), { ...vxlan(states[3]!), vxlan: { id: 2 } } as LinkObject)).toThrowError(
      expect.objectContaining({ code: 'ERR_CNM_NOT_SUPPORTED' }),
    )
  })

  it('changes mode and sources of a macvlan, and refuses another lower link', () => {
    using world = new World()
    const a = world.place()
    world.create(veth(a, a))
    const macvlan = (fields: Partial<Macvlan>): Macvlan => ({
      kind: 'link',
      at: a,
      type: 'macvlan',
      name: 'mv0',
      parent: { name: 'v0' },
      ...fields,
    })
    const states: Partial<Macvlan>[] = [
      { mode: 'private' },
      { mode: 'source', sourceMacs: ['02:00:00:00:00:01'] },
      { mode: 'source', sourceMacs: ['02:00:00:00:00:02', '02:00:00:00:00:03'] },
      { mode: 'source' },
      { mode: 'vepa', broadcastQueueLength: 500 },
    ]
    world.create(macvlan(states[0]!))
    states.slice(1).forEach((state, i) => {
      world.change(macvlan(states[i]!), macvlan(state))
      const { sourceMacs, mode, broadcastQueueLength } = shown(world, a, 'mv0') as Macvlan
      expect({ sourceMacs, mode, broadcastQueueLength }).toEqual({ sourceMacs: undefined, broadcastQueueLength: undefined, ...state })
    })
    expect(() => world.change(macvlan({}), macvlan({ parent: { name: 'v1' } }))).toThrowError(
      expect.objectContaining({ code: 'ERR_CNM_NOT_SUPPORTED' }),
    )
  })

  it('sets the broadcast cutoff of a macvlan, or says that the kernel knows none', () => {
    using world = new World()
    const a = world.place()
    world.create(veth(a, a))
    const macvlan: Macvlan = { kind: 'link', at: a, type: 'macvlan', name: 'mv0', parent: { name: 'v0' }, broadcastCutoff: 7 }
    const [major = 0, minor = 0] = release().split('.').map(Number)
    if (major < 6 || (major === 6 && minor < 4)) {
      expect(() => world.create(macvlan)).toThrowError(expect.objectContaining({ code: 'ERR_CNM_NOT_SUPPORTED', field: 'broadcastCutoff' }))
      return
    }
    world.create(macvlan)
    expect(read(world, a, 'mv0')).toMatchObject({ broadcastCutoff: 7 })
    world.change(macvlan, { ...macvlan, broadcastCutoff: undefined })
    expect((read(world, a, 'mv0') as Macvlan).broadcastCutoff).toBeUndefined()
    world.change({ ...macvlan, broadcastCutoff: undefined }, { ...macvlan, broadcastCutoff: -1 })
    expect(read(world, a, 'mv0')).toMatchObject({ broadcastCutoff: -1 })
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
