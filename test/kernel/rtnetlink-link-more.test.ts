import { describe, expect, it } from 'vitest'
import { deleteGroup, linkStatistics, listStatistics, moveLink, renameLink, setGroup } from '../../src/kernel/rtnetlink/index.js'
import { linksOf } from './rtnetlink-iproute2.js'
import { bridge, read, shown, veth } from './rtnetlink-link-scene.js'
import { World } from './rtnetlink-world.js'

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
    expect(
      linksOf(world, a)
        .filter(({ group }) => group === 4242)
        .map(({ name }) => name),
    ).toEqual(names)
    deleteGroup(world.session, a, 4242)
    world.session.flush()
    expect(linksOf(world, a).map(({ name }) => name)).toEqual(['lo', 'stays'])
    expect(() => deleteGroup(world.session, a, 0)).toThrowError(expect.objectContaining({ field: 'group' }))
  })

  it('counts what a link has carried', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(veth(a, b, { ipv6AddressGeneration: 'none', peer: { at: b, name: 'v1', ipv6AddressGeneration: 'none' } }))
    for (const [at, name, address] of [
      [a, 'v0', '10.0.0.1/24'],
      [b, 'v1', '10.0.0.2/24'],
    ] as const)
      world.create({ kind: 'address', at, link: name, address })
    expect(linkStatistics(world.session, a, 'v0').txPackets).toBe(0)
    world.run(a, 'ping', '-c1', '-W1', '10.0.0.2')
    const [mine, theirs] = [linkStatistics(world.session, a, 'v0'), linkStatistics(world.session, b, 'v1')]
    expect(mine.txPackets).toBeGreaterThanOrEqual(2)
    expect({ packets: mine.txPackets, bytes: mine.txBytes }).toEqual({ packets: theirs.rxPackets, bytes: theirs.rxBytes })
    const [stats] = world.show('ip', a, '-s', 'link', 'show', 'v0')
    expect(stats).toMatchObject({
      stats64: { tx: { packets: mine.txPackets, bytes: mine.txBytes }, rx: { packets: mine.rxPackets, bytes: mine.rxBytes } },
    })
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
