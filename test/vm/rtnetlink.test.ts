/**
 * What only a stock kernel has. The tests of test/kernel/rtnetlink-*.test.ts run there too, with everything that they
 * skip elsewhere.
 */
import { describe, expect, it } from 'vitest'
import type { LinkObject, Place } from '../../src/contracts/kernel-objects.js'
import { listLinks, routeGet } from '../../src/kernel/rtnetlink/index.js'
import { linksOf, sorted } from '../kernel/rtnetlink-iproute2.js'
import { World } from '../kernel/rtnetlink-world.js'

const shown = (world: World, at: Place, name: string): LinkObject | undefined => linksOf(world, at).find((link) => link.name === name)

describe('a link whose lower link is in another namespace', () => {
  const cases = [
    { type: 'vlan', id: 100 },
    { type: 'vlan', id: 100, protocol: '802.1ad' },
    { type: 'ipvlan', mode: 'l2' },
    { type: 'ipvlan', mode: 'l3s', flag: 'private' },
  ]
  it.each(cases)('%j is made in its own, whatever indexes and names are taken there', (fields) => {
    using world = new World()
    const [host, inner] = [world.place('host'), world.place('inner')]
    world.create({ kind: 'link', at: host, type: 'dummy', name: 'd0' })
    // The indexes that come next inside are taken outside, and so is the name.
    for (let i = 2; i < 8; i++)
      if (world.session.linkName(host, i) === undefined) world.create({ kind: 'link', at: host, type: 'dummy', name: `d${i}`, index: i })
    world.create({ kind: 'link', at: host, type: 'dummy', name: 'eth0' })
    const link = { kind: 'link', at: inner, name: 'eth0', parent: { at: host, name: 'd0' }, ...fields } as unknown as LinkObject
    world.create(link)
    expect(shown(world, inner, 'eth0')).toMatchObject({ type: fields.type })
    expect(shown(world, host, 'eth0')).toMatchObject({ type: 'dummy' })
    expect(listLinks(inner, world.session, [host]).find(({ name }) => name === 'eth0')).toMatchObject({
      ...fields,
      parent: { at: host, name: 'd0' },
    })
    world.remove(link)
    expect(shown(world, inner, 'eth0')).toBeUndefined()
  })
})

describe('a VRF', () => {
  it('has ports, whose routes are in its table', () => {
    using world = new World()
    const at = world.place()
    world.create({ kind: 'link', at, type: 'vrf', name: 'red', table: 100 })
    world.create({ kind: 'link', at, type: 'dummy', name: 'd0', master: 'red' })
    world.create({ kind: 'address', at, link: 'd0', address: '192.0.2.1/24' })
    world.create({ kind: 'route', at, destination: '198.51.100.0/24', gateway: '192.0.2.9', link: 'd0', table: 100 })
    expect(shown(world, at, 'd0')).toMatchObject({ master: 'red' })
    expect(routeGet(world.session, at, '198.51.100.1', { link: 'red' })).toMatchObject({ link: 'd0', gateway: '192.0.2.9', table: 100 })
    expect(sorted(world.list('link', at))).toEqual(sorted(linksOf(world, at)))
    expect(() =>
      world.change({ kind: 'link', at, type: 'vrf', name: 'red', table: 100 }, { kind: 'link', at, type: 'vrf', name: 'red', table: 101 }),
    ).toThrowError(expect.objectContaining({ code: 'ERR_CNM_NOT_SUPPORTED' }))
  })
})

describe('changes', () => {
  it('of mode and flag of an ipvlan', () => {
    using world = new World()
    const at = world.place()
    world.create({ kind: 'link', at, type: 'dummy', name: 'd0' })
    const states = [{ mode: 'l2' }, { mode: 'l3' }, { mode: 'l3s', flag: 'vepa' }, { mode: 'l2', flag: 'private' }] as const
    const link = (fields: object): LinkObject => ({ kind: 'link', at, type: 'ipvlan', name: 'x0', parent: { name: 'd0' }, ...fields })
    world.create(link(states[0]))
    states.slice(1).forEach((state, i) => {
      world.change(link(states[i]!), link(state))
      const { mode, flag } = shown(world, at, 'x0') as { mode?: string; flag?: string }
      expect({ mode, flag }).toEqual({ flag: undefined, ...state })
    })
    expect(() => world.create({ ...link({}), name: 'x1', mac: '02:00:00:00:00:01' })).toThrowError(
      expect.objectContaining({ field: 'mac' }),
    )
  })

  it('of id and lower link of a vlan are refused', () => {
    using world = new World()
    const at = world.place()
    for (const name of ['d0', 'd1']) world.create({ kind: 'link', at, type: 'dummy', name })
    const link = (fields: object): LinkObject => ({ kind: 'link', at, type: 'vlan', name: 'x0', id: 5, parent: { name: 'd0' }, ...fields })
    world.create(link({}))
    for (const fields of [{ id: 6 }, { parent: { name: 'd1' } }, { protocol: '802.1ad' }]) {
      expect(() => world.change(link({}), link(fields))).toThrowError(expect.objectContaining({ code: 'ERR_CNM_NOT_SUPPORTED' }))
    }
    world.create(link({ id: 6 }), true)
    expect(shown(world, at, 'x0')).toMatchObject({ id: 6 })
  })
})
