import { describe, expect, it } from 'vitest'
import type { RouteObject } from '../../src/contracts/kernel-objects.js'
import { routesOf, sorted } from './rtnetlink-iproute2.js'
import { route, withLinks } from './rtnetlink-route-scene.js'

const CASES: [string, string, Partial<RouteObject>, string][] = [
  ['default', 'default', { gateway: '10.0.1.9', link: 'v1' }, 'default via 10.0.1.9'],
  ['default of IPv6', 'default', { family: 6, gateway: 'fd00:1::9', link: 'v1' }, '-6 default via fd00:1::9'],
  ['on the link', '10.5.0.0/16', { link: 'v1' }, '10.5.0.0/16 dev v1'],
  [
    'host',
    '10.5.0.1/32',
    { link: 'v1', source: '10.0.1.1', mtu: 1300, metric: 77, protocol: 4 },
    '10.5.0.1 dev v1 src 10.0.1.1 mtu 1300 metric 77 proto static',
  ],
  [
    'through somebody who is not on the link',
    '10.5.0.0/16',
    { gateway: '192.0.2.1', link: 'v1', onlink: true },
    '10.5.0.0/16 via 192.0.2.1 dev v1 onlink',
  ],
  ['in another table', '10.5.0.0/16', { link: 'v1', table: 100_000 }, '10.5.0.0/16 dev v1 table 100000'],
  ['in a small table', '10.5.0.0/16', { link: 'v1', table: 9 }, '10.5.0.0/16 dev v1 table 9'],
  ['blackhole', '10.5.0.0/16', { type: 'blackhole' }, 'blackhole 10.5.0.0/16'],
  ['unreachable', '10.5.0.0/16', { type: 'unreachable', metric: 4 }, 'unreachable 10.5.0.0/16 metric 4'],
  ['prohibit', '10.5.0.0/16', { type: 'prohibit' }, 'prohibit 10.5.0.0/16'],
  ['throw', '10.5.0.0/16', { type: 'throw', table: 7 }, 'throw 10.5.0.0/16 table 7'],
  ['local', '10.5.0.0/16', { type: 'local', link: 'lo', table: 255 }, 'local 10.5.0.0/16 dev lo table local'],
  [
    'several hops',
    '10.5.0.0/16',
    {
      nextHops: [
        { gateway: '10.0.1.9', link: 'v1', weight: 3 },
        { gateway: '10.0.2.9', link: 'v2' },
        { gateway: '192.0.2.1', link: 'v2', onlink: true, weight: 256 },
      ],
    },
    '10.5.0.0/16 nexthop via 10.0.1.9 weight 3 nexthop via 10.0.2.9 nexthop via 192.0.2.1 dev v2 onlink weight 256',
  ],
  ['through an IPv6 router', '10.5.0.0/16', { gateway: 'fd00:1::9', link: 'v1' }, '10.5.0.0/16 via inet6 fd00:1::9 dev v1'],
  ['default through an IPv6 router', 'default', { family: 4, gateway: 'fd00:1::9', link: 'v1' }, '-4 default via inet6 fd00:1::9 dev v1'],
  ['with a scope', '10.5.0.0/16', { link: 'v1', scope: 'global' }, '10.5.0.0/16 dev v1 scope global'],
  [
    'IPv6',
    '2001:db8::/32',
    { gateway: 'fd00:1::9', link: 'v1', source: 'fd00:2::1', mtu: 1300, metric: 5 },
    '2001:db8::/32 via fd00:1::9 dev v1 src fd00:2::1 mtu 1300 metric 5',
  ],
  ['IPv6 on the link', '2001:db8::1/128', { link: 'v2' }, '2001:db8::1 dev v2'],
  ['IPv6 blackhole', '2001:db8::/32', { type: 'blackhole' }, 'blackhole 2001:db8::/32'],
  ['IPv6 unreachable', '2001:db8::/32', { type: 'unreachable', table: 1000 }, 'unreachable 2001:db8::/32 table 1000'],
  [
    'IPv6 with several hops',
    '2001:db8::/32',
    {
      nextHops: [
        { gateway: 'fd00:1::9', link: 'v1', weight: 2 },
        { gateway: 'fd00:2::9', link: 'v2' },
      ],
    },
    '2001:db8::/32 nexthop via fd00:1::9 weight 2 nexthop via fd00:2::9',
  ],
]

describe.each(CASES)('%s', (_name, destination, fields, command) => {
  it('made by us is what ip(8) sees and what we read', () => {
    using scene = withLinks()
    const { world, at, ours } = scene
    const wanted = route(at, destination, fields)
    world.create(wanted)
    expect(ours()).toEqual([wanted])
    expect(sorted(world.list('route', at))).toEqual(sorted(routesOf(world, at)))
    expect(() => world.create(wanted)).toThrowError(expect.objectContaining({ errno: 17 }))
    world.remove(wanted)
    expect(ours()).toEqual([])
    expect(() => world.remove(wanted)).toThrowError(expect.objectContaining({ errno: 3 }))
  })

  it('made by ip(8) is read as ip(8) reads it, and made again', () => {
    using scene = withLinks()
    const { world, at } = scene
    const [family, ...words] = command.startsWith('-')
      ? command.split(' ')
      : [command.includes('::') && !command.includes('inet6') ? '-6' : '-4', ...command.split(' ')]
    world.ip(at, family!, 'route', 'add', ...words)
    const before = world.list('route', at)
    expect(sorted(before)).toEqual(sorted(routesOf(world, at)))
    const [made] = before.filter(({ protocol }) => protocol !== 2)
    world.remove(made!)
    world.create(made!)
    expect(sorted(world.list('route', at))).toEqual(sorted(before))
  })
})
