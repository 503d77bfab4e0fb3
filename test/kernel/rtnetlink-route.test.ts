import { describe, expect, it } from 'vitest'
import type { Place, RouteObject } from '../../src/contracts/kernel-objects.js'
import { defaultRoutes, listRoutes, routeGet } from '../../src/kernel/rtnetlink/index.js'
import { routesOf, sorted } from './rtnetlink-iproute2.js'
import { World } from './rtnetlink-world.js'

const route = (at: Place, destination: string, fields: Partial<RouteObject> = {}): RouteObject => ({ kind: 'route', at, destination, ...fields })

/** Two links, each with an address of either family, and its neighbours behind it. */
function withLinks(): { world: World; at: Place; ours(): RouteObject[] } & Disposable {
  const world = new World()
  const at = world.place()
  world.batch(
    at,
    'link set lo up',
    ...['v1', 'v2'].flatMap((name, i) => [
      `link add ${name} type veth peer name ${name}p`,
      ...[name, `${name}p`].flatMap((end) => [`link set ${end} addrgenmode none`, `link set ${end} up`]),
      `address add 10.0.${i + 1}.1/24 dev ${name}`,
      `address add fd00:${i + 1}::1/64 dev ${name} nodad`,
    ]),
  )
  // The kernel adds the local routes of IPv6 addresses a little later.
  world.until(() => listRoutes(world.session, at, { family: 6, table: 255 }).filter(({ destination }) => destination.startsWith('fd00')).length === 2)
  const ours = (): RouteObject[] => routesOf(world, at).filter(({ protocol }) => protocol !== 2)
  return { world, at, ours, [Symbol.dispose]: () => world[Symbol.dispose]() }
}

const CASES: [string, string, Partial<RouteObject>, string][] = [
  ['default', 'default', { gateway: '10.0.1.9', link: 'v1' }, 'default via 10.0.1.9'],
  ['default of IPv6', 'default', { family: 6, gateway: 'fd00:1::9', link: 'v1' }, '-6 default via fd00:1::9'],
  ['on the link', '10.5.0.0/16', { link: 'v1' }, '10.5.0.0/16 dev v1'],
  ['host', '10.5.0.1/32', { link: 'v1', source: '10.0.1.1', mtu: 1300, metric: 77, protocol: 4 }, '10.5.0.1 dev v1 src 10.0.1.1 mtu 1300 metric 77 proto static'],
  ['through somebody who is not on the link', '10.5.0.0/16', { gateway: '192.0.2.1', link: 'v1', onlink: true }, '10.5.0.0/16 via 192.0.2.1 dev v1 onlink'],
  ['in another table', '10.5.0.0/16', { link: 'v1', table: 100_000 }, '10.5.0.0/16 dev v1 table 100000'],
  ['in a small table', '10.5.0.0/16', { link: 'v1', table: 9 }, '10.5.0.0/16 dev v1 table 9'],
  ['blackhole', '10.5.0.0/16', { type: 'blackhole' }, 'blackhole 10.5.0.0/16'],
  ['unreachable', '10.5.0.0/16', { type: 'unreachable', metric: 4 }, 'unreachable 10.5.0.0/16 metric 4'],
  ['prohibit', '10.5.0.0/16', { type: 'prohibit' }, 'prohibit 10.5.0.0/16'],
  ['throw', '10.5.0.0/16', { type: 'throw', table: 7 }, 'throw 10.5.0.0/16 table 7'],
  ['local', '10.5.0.0/16', { type: 'local', link: 'lo', table: 255 }, 'local 10.5.0.0/16 dev lo table local'],
  ['several hops', '10.5.0.0/16', { nextHops: [{ gateway: '10.0.1.9', link: 'v1', weight: 3 }, { gateway: '10.0.2.9', link: 'v2' }, { gateway: '192.0.2.1', link: 'v2', onlink: true, weight: 256 }] },
    '10.5.0.0/16 nexthop via 10.0.1.9 weight 3 nexthop via 10.0.2.9 nexthop via 192.0.2.1 dev v2 onlink weight 256'],
  ['through an IPv6 router', '10.5.0.0/16', { gateway: 'fd00:1::9', link: 'v1' }, '10.5.0.0/16 via inet6 fd00:1::9 dev v1'],
  ['default through an IPv6 router', 'default', { family: 4, gateway: 'fd00:1::9', link: 'v1' }, '-4 default via inet6 fd00:1::9 dev v1'],
  ['with a scope', '10.5.0.0/16', { link: 'v1', scope: 'global' }, '10.5.0.0/16 dev v1 scope global'],
  ['IPv6', '2001:db8::/32', { gateway: 'fd00:1::9', link: 'v1', source: 'fd00:2::1', mtu: 1300, metric: 5 }, '2001:db8::/32 via fd00:1::9 dev v1 src fd00:2::1 mtu 1300 metric 5'],
  ['IPv6 on the link', '2001:db8::1/128', { link: 'v2' }, '2001:db8::1 dev v2'],
  ['IPv6 blackhole', '2001:db8::/32', { type: 'blackhole' }, 'blackhole 2001:db8::/32'],
  ['IPv6 unreachable', '2001:db8::/32', { type: 'unreachable', table: 1000 }, 'unreachable 2001:db8::/32 table 1000'],
  ['IPv6 with several hops', '2001:db8::/32', { nextHops: [{ gateway: 'fd00:1::9', link: 'v1', weight: 2 }, { gateway: 'fd00:2::9', link: 'v2' }] }, '2001:db8::/32 nexthop via fd00:1::9 weight 2 nexthop via fd00:2::9'],
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
    const [family, ...words] = command.startsWith('-') ? command.split(' ') : [command.includes('::') && !command.includes('inet6') ? '-6' : '-4', ...command.split(' ')]
    world.ip(at, family!, 'route', 'add', ...words)
    const before = world.list('route', at)
    expect(sorted(before)).toEqual(sorted(routesOf(world, at)))
    const [made] = before.filter(({ protocol }) => protocol !== 2)
    world.remove(made!)
    world.create(made!)
    expect(sorted(world.list('route', at))).toEqual(sorted(before))
  })
})

describe('removal is exact', () => {
  const variants: Partial<RouteObject>[] = [
    { link: 'v1' }, { link: 'v2', metric: 10 }, { link: 'v1', metric: 20 }, { link: 'v1', table: 100 }, { link: 'v1', table: 100, metric: 10 },
  ]

  it.each(['10.5.0.0/16', 'default', '10.5.0.7/32'])('of %s with one metric, among those with others', (destination) => {
    for (const removed of variants) {
      using scene = withLinks()
      const { world, at, ours } = scene
      for (const fields of variants) world.create(route(at, destination, fields))
      world.remove(route(at, destination, removed))
      expect(sorted(ours())).toEqual(sorted(variants.filter((fields) => fields !== removed).map((fields) => route(at, destination, fields))))
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
    for (const fields of [{ gateway: '10.0.1.8', link: 'v1' }, { gateway: '10.0.2.9', link: 'v2' }, { type: 'blackhole' as const }, { ...present, source: '10.0.1.1' }, { ...present, protocol: 4 }]) {
      expect(() => world.remove(route(at, '10.5.0.0/16', fields))).toThrowError(expect.objectContaining({ errno: 3 }))
    }
    expect(ours()).toEqual([present])
  })

  it('of IPv6 with one metric, among those with others', () => {
    for (const removed of [undefined, 5, 2048]) {
      using scene = withLinks()
      const { world, at, ours } = scene
      const all = [undefined, 5, 2048].map((metric) => route(at, '2001:db8::/32', { link: 'v1', ...(metric === undefined ? {} : { metric }) }))
      for (const each of all) world.create(each)
      world.remove(all.find(({ metric }) => metric === removed)!)
      expect(sorted(ours())).toEqual(sorted(all.filter(({ metric }) => metric !== removed)))
    }
  })
})

describe('routes', () => {
  it.each([
    ['10.5.0.0/16', { gateway: '10.0.1.9', link: 'v1' }, { gateway: '10.0.2.9', link: 'v2' }],
    ['10.5.0.0/16', { link: 'v1' }, { type: 'blackhole' as const }],
    ['10.5.0.0/16', { link: 'v1', mtu: 1300 }, { link: 'v1', source: '10.0.1.1' }],
    ['10.5.0.0/16', { link: 'v1' }, { nextHops: [{ gateway: '10.0.1.9', link: 'v1' }, { gateway: '10.0.2.9', link: 'v2' }] }],
    ['10.5.0.0/16', { link: 'v1' }, { link: 'v1', metric: 5 }],
    ['10.5.0.0/16', { link: 'v1', metric: 5 }, { link: 'v1', table: 77 }],
    ['2001:db8::/32', { link: 'v1' }, { gateway: 'fd00:2::9', link: 'v2' }],
    ['2001:db8::/32', { gateway: 'fd00:2::9', link: 'v2' }, { type: 'unreachable' as const }],
    ['2001:db8::/32', { gateway: 'fd00:2::9', link: 'v2' }, { nextHops: [{ gateway: 'fd00:1::9', link: 'v1' }, { gateway: 'fd00:2::9', link: 'v2' }] }],
    ['2001:db8::/32', { gateway: 'fd00:2::9', link: 'v2' }, { gateway: 'fd00:2::9', link: 'v2', metric: 6 }],
  ])('%s from %j to %j, and back', (destination, from, to) => {
    using scene = withLinks()
    const { world, at, ours } = scene
    world.create(route(at, destination, from))
    world.change(route(at, destination, from), route(at, destination, to))
    expect(ours()).toEqual([route(at, destination, to)])
    world.change(route(at, destination, to), route(at, destination, from))
    expect(ours()).toEqual([route(at, destination, from)])
  })

  it('are replaced where that is asked for', () => {
    using scene = withLinks()
    const { world, at, ours } = scene
    world.create(route(at, 'default', { gateway: '10.0.1.9', link: 'v1' }), true)
    world.create(route(at, 'default', { gateway: '10.0.2.9', link: 'v2' }), true)
    expect(ours()).toEqual([route(at, 'default', { gateway: '10.0.2.9', link: 'v2' })])
  })

  it('are listed by table, family, link, protocol and type', () => {
    using scene = withLinks()
    const { world, at } = scene
    world.create(route(at, '10.5.0.0/16', { link: 'v1', table: 500, protocol: 4 }))
    world.create(route(at, '10.6.0.0/16', { link: 'v2', table: 500 }))
    world.create(route(at, '2001:db8::/32', { link: 'v2', table: 500 }))
    world.create(route(at, '10.7.0.0/16', { type: 'prohibit', table: 500 }))
    const found = (filter: object): string[] => listRoutes(world.session, at, { table: 500, ...filter }).map(({ destination }) => destination).sort()
    expect(found({})).toEqual(['10.5.0.0/16', '10.6.0.0/16', '10.7.0.0/16', '2001:db8::/32'])
    expect(found({ family: 6 })).toEqual(['2001:db8::/32'])
    expect(found({ link: 'v2' })).toEqual(['10.6.0.0/16', '2001:db8::/32'])
    expect(found({ protocol: 4 })).toEqual(['10.5.0.0/16'])
    expect(found({ type: 'prohibit' })).toEqual(['10.7.0.0/16'])
    expect(found({ table: 501 })).toEqual([])
  })

  it('that are the default are found', () => {
    using scene = withLinks()
    const { world, at } = scene
    expect(defaultRoutes(world.session, at)).toEqual([])
    const defaults = [route(at, 'default', { gateway: '10.0.1.9', link: 'v1' }), route(at, 'default', { family: 6, gateway: 'fd00:1::9', link: 'v1' })]
    for (const each of defaults) world.create(each)
    world.create(route(at, 'default', { gateway: '10.0.2.9', link: 'v2', table: 9 }))
    expect(defaultRoutes(world.session, at)).toEqual(defaults)
  })

  it.each([
    ['destination', { destination: '10.5.0.1/16' }],
    ['destination', { destination: '2001:db8::1/32' }],
    ['destination', { destination: '10.5.0.0/33' }],
    ['destination', { destination: 'everywhere' }],
    ['family', { family: 6 }],
    ['gateway', { gateway: '10.0.1.300' }],
    ['gateway', { destination: '2001:db8::/32', gateway: '10.0.1.9' }],
    ['nextHops', { nextHops: [{ link: 'v1' }] }],
    ['nextHops', { link: undefined, nextHops: [] }],
    ['nextHops.weight', { link: undefined, nextHops: [{ link: 'v1', weight: 257 }] }],
    ['type', { type: 'nat' }],
    ['scope', { destination: '2001:db8::/32', scope: 'link' }],
    ['table', { table: 0 }],
    ['protocol', { protocol: 256 }],
    ['mtu', { mtu: 0 }],
    ['onlink', { onlink: 'yes' }],
    ['tos', { tos: 4 }],
  ])('with a bad %s are refused: %j', (field, fields) => {
    using scene = withLinks()
    const { world, at, ours } = scene
    expect(() => world.create({ ...route(at, '10.5.0.0/16', { link: 'v1' }), ...fields } as RouteObject)).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_CNM_(INVALID_ARGUMENT|UNKNOWN_OPTION)$/), field }),
    )
    expect(ours()).toEqual([])
  })
})

describe('which way a packet would go', () => {
  it('is what ip(8) says', () => {
    using scene = withLinks()
    const { world, at } = scene
    world.create(route(at, 'default', { gateway: '10.0.1.9', link: 'v1' }))
    world.create(route(at, '198.51.100.0/24', { gateway: '10.0.2.9', link: 'v2', table: 40, mtu: 1300 }))
    world.create({ kind: 'policy-rule', at, family: 4, priority: 40, mark: 7, table: 40 })
    for (const [destination, words, question, expected] of [
      ['203.0.113.1', [], {}, { link: 'v1', gateway: '10.0.1.9', source: '10.0.1.1', type: 'unicast', table: 254 }],
      ['10.0.2.7', [], {}, { link: 'v2', source: '10.0.2.1', type: 'unicast', table: 254 }],
      ['198.51.100.1', ['mark', '7'], { mark: 7 }, { link: 'v2', gateway: '10.0.2.9', source: '10.0.2.1', type: 'unicast', table: 40, mtu: 1300 }],
      ['10.0.1.1', [], {}, { link: 'lo', source: '10.0.1.1', type: 'local', table: 255 }],
      ['203.0.113.1', ['from', '10.0.2.1'], { source: '10.0.2.1' }, { link: 'v1', gateway: '10.0.1.9', type: 'unicast', table: 254 }],
      ['fd00:2::7', [], {}, { link: 'v2', source: 'fd00:2::1', type: 'unicast', table: 254 }],
    ] as const) {
      expect(routeGet(world.session, at, destination, question)).toEqual(expected)
      const [seen] = world.show('ip', at, 'route', 'get', destination, ...words)
      expect(seen).toMatchObject({ dev: expected.link, ...('gateway' in expected ? { gateway: expected.gateway } : {}) })
    }
  })

  it('is an error where there is none', () => {
    using scene = withLinks()
    const { world, at } = scene
    expect(() => routeGet(world.session, at, '203.0.113.1')).toThrowError(expect.objectContaining({ errno: 101 }))
  })
})
