import { describe, expect, it } from 'vitest'
import type { Place } from '../../src/contracts/kernel-objects.js'
import { listLinks } from '../../src/kernel/rtnetlink/index.js'
import { bridge, shown, veth } from './rtnetlink-link-scene.js'
import { World } from './rtnetlink-world.js'

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
    expect(listLinks(inner, world.session, [host]).find(({ name }) => name === 'eth0')).toMatchObject({
      type,
      parent: { at: host, name: 'v0' },
    })
    world.change({ ...link }, { ...link, mtu: 1300, mac: '02:00:00:00:00:99' })
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
    const sockets = (at: Place): string =>
      world.session.inside(at, () => world.read('/proc/thread-self/net/udp') + world.read('/proc/thread-self/net/udp6'))
    expect(sockets(host)).toContain(':12B6')
    expect(sockets(inner)).not.toContain(':12B6')
  })

  it('refuses an underlay where the lower link is not', () => {
    using world = new World()
    const [host, inner] = [world.place('host'), world.place('inner')]
    world.create(veth(host, host))
    const link = {
      kind: 'link',
      at: inner,
      type: 'vxlan',
      name: 'vx0',
      underlay: inner,
      parent: { at: host, name: 'v0' },
      vxlan: { id: 9 },
    } as const
    expect(() => world.create(link)).toThrowError(expect.objectContaining({ field: 'underlay' }))
  })
})
