import { describe, expect, it } from 'vitest'
import type { RouteObject } from '../../src/contracts/kernel-objects.js'
import { sorted } from './rtnetlink-iproute2.js'
import { route, withLinks } from './rtnetlink-route-scene.js'

describe('removal is exact', () => {
  const variants: Partial<RouteObject>[] = [
    { link: 'v1' },
    { link: 'v2', metric: 10 },
    { link: 'v1', metric: 20 },
    { link: 'v1', table: 100 },
    { link: 'v1', table: 100, metric: 10 },
  ]

  it.each(['10.5.0.0/16', 'default', '10.5.0.7/32'])('of %s with one metric, among those with others', (destination) => {
    for (const removed of variants) {
      using scene = withLinks()
      const { world, at, ours } = scene
      for (const fields of variants) world.create(route(at, destination, fields))
      world.remove(route(at, destination, removed))
      expect(sorted(ours())).toEqual(
        sorted(variants.filter((fields) => fields !== removed).map((fields) => route(at, destination, fields))),
      )
    }
  })

  it.each(['10.5.0.0/16', 'default'])('of %s without metric where there is only one with', (destination) => {
    using scene = withLinks()
    const { world, at, ours } = scene
    world.create(route(at, destination, { link: 'v1', metric: 10 }))
    expect(() => world.remove(route(at, destination, { link: 'v1' }))).toThrowError(expect.objectContaining({ errno: 3 }))
    expect(ours()).toHaveLength(1)
  })

  it('of one that a more specific one hides', () => {
    using scene = withLinks()
    const { world, at, ours } = scene
    world.create(route(at, '10.5.0.0/16', { link: 'v1' }))
    world.create(route(at, '10.5.0.0/24', { link: 'v2' }))
    world.remove(route(at, '10.5.0.0/16', { link: 'v1' }))
    expect(ours()).toEqual([route(at, '10.5.0.0/24', { link: 'v2' })])
  })

  it('of another gateway, type or source than there is: nothing happens', () => {
    using scene = withLinks()
    const { world, at, ours } = scene
    const present = route(at, '10.5.0.0/16', { gateway: '10.0.1.9', link: 'v1' })
    world.create(present)
    for (const fields of [
      { gateway: '10.0.1.8', link: 'v1' },
      { gateway: '10.0.2.9', link: 'v2' },
      { type: 'blackhole' as const },
      { ...present, source: '10.0.1.1' },
      { ...present, protocol: 4 },
    ]) {
      expect(() => world.remove(route(at, '10.5.0.0/16', fields))).toThrowError(expect.objectContaining({ errno: 3 }))
    }
    expect(ours()).toEqual([present])
  })

  it('of IPv6 with one metric, among those with others', () => {
    for (const removed of [undefined, 5, 2048]) {
      using scene = withLinks()
      const { world, at, ours } = scene
      const all = [undefined, 5, 2048].map((metric) =>
        route(at, '2001:db8::/32', { link: 'v1', ...(metric === undefined ? {} : { metric }) }),
      )
      for (const each of all) world.create(each)
      world.remove(all.find(({ metric }) => metric === removed)!)
      expect(sorted(ours())).toEqual(sorted(all.filter(({ metric }) => metric !== removed)))
    }
  })
})
