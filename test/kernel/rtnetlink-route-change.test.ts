import { describe, expect, it } from 'vitest'
import type { RouteObject } from '../../src/contracts/kernel-objects.js'
import { defaultRoutes, listRoutes, routeGet } from '../../src/kernel/rtnetlink/index.js'
import { route, withLinks } from './rtnetlink-route-scene.js'

describe('routes', () => {
  it.each([
    ['10.5.0.0/16', { gateway: '10.0.1.9', link: 'v1' }, { gateway: '10.0.2.9', link: 'v2' }],
    ['10.5.0.0/16', { link: 'v1' }, { type: 'blackhole' as const }],
    ['10.5.0.0/16', { link: 'v1', mtu: 1300 }, { link: 'v1', source: '10.0.1.1' }],
    [
      '10.5.0.0/16',
      { link: 'v1' },
      {
        nextHops: [
          { gateway: '10.0.1.9', link: 'v1' },
          { gateway: '10.0.2.9', link: 'v2' },
        ],
      },
    ],
    ['10.5.0.0/16', { link: 'v1' }, { link: 'v1', metric: 5 }],
    ['10.5.0.0/16', { link: 'v1', metric: 5 }, { link: 'v1', table: 77 }],
    ['2001:db8::/32', { link: 'v1' }, { gateway: 'fd00:2::9', link: 'v2' }],
    ['2001:db8::/32', { gateway: 'fd00:2::9', link: 'v2' }, { type: 'unreachable' as const }],
    [
      '2001:db8::/32',
      { gateway: 'fd00:2::9', link: 'v2' },
      {
        nextHops: [
          { gateway: 'fd00:1::9', link: 'v1' },
          { gateway: 'fd00:2::9', link: 'v2' },
        ],
      },
    ],
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
    const found = (filter: object): string[] =>
      listRoutes(world.session, at, { table: 500, ...filter })
        .map(({ destination }) => destination)
        .sort()
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
    const defaults = [
      route(at, 'default', { gateway: '10.0.1.9', link: 'v1' }),
      route(at, 'default', { family: 6, gateway: 'fd00:1::9', link: 'v1' }),
    ]
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
      [
        '198.51.100.1',
        ['mark', '7'],
        { mark: 7 },
        { link: 'v2', gateway: '10.0.2.9', source: '10.0.2.1', type: 'unicast', table: 40, mtu: 1300 },
      ],
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
