import { describe, expect, it } from 'vitest'
import type { AddressObject, Place } from '../../src/contracts/kernel-objects.js'
import { addressesOf as addressesOfLink } from '../../src/kernel/rtnetlink/index.js'
import { addressesOf, sorted } from './rtnetlink-iproute2.js'
import { World } from './rtnetlink-world.js'

const address = (at: Place, text: string, fields: Partial<AddressObject> = {}): AddressObject => ({
  kind: 'address',
  at,
  link: 'v0',
  address: text,
  ...fields,
})

function withLink(): { world: World; at: Place } & Disposable {
  const world = new World()
  const at = world.place()
  world.batch(at, 'link add v0 type veth peer name v1', 'link set v0 addrgenmode none', 'link set v0 up')
  return { world, at, [Symbol.dispose]: () => world[Symbol.dispose]() }
}

const CASES: [string, string, Partial<AddressObject>, string][] = [
  ['IPv4', '10.0.0.2/24', {}, '10.0.0.2/24'],
  [
    'IPv4 with everything',
    '10.0.0.2/24',
    { broadcast: '10.0.0.255', scope: 'link', noPrefixRoute: true, metric: 9 },
    '10.0.0.2/24 broadcast 10.0.0.255 scope link noprefixroute metric 9',
  ],
  ['an IPv4 host', '10.0.0.2/32', {}, '10.0.0.2'],
  ['IPv4 point to point', '10.0.0.2/32', { peer: '10.0.0.9' }, '10.0.0.2 peer 10.0.0.9'],
  ['IPv4 loopback', '127.9.0.1/8', {}, '127.9.0.1/8 scope host'],
  ['IPv6', 'fd00::2/64', {}, 'fd00::2/64'],
  ['IPv6 with everything', 'fd00::2/64', { noDad: true, noPrefixRoute: true, metric: 5 }, 'fd00::2/64 nodad noprefixroute metric 5'],
  ['IPv6 point to point', 'fd00::2/128', { peer: 'fd00::9' }, 'fd00::2 peer fd00::9'],
  ['IPv6 link-local', 'fe80::2/64', {}, 'fe80::2/64'],
  ['IPv6 in another way of writing', 'FD00:0:0:0::0002/64', {}, 'fd00::2/64'],
]

describe.each(CASES)('%s', (_name, text, fields, command) => {
  it('made by us is what ip(8) sees and what we read', () => {
    using scene = withLink()
    const { world, at } = scene
    const wanted = address(at, text, fields)
    world.create(wanted)
    const seen = addressesOf(world, at)
    expect(seen).toEqual([{ ...wanted, address: command.split(' ')[0]!.includes('/') ? command.split(' ')[0] : text }])
    expect(world.list('address', at)).toEqual(seen)
    expect(addressesOfLink(world.session, at, 'v0')).toEqual([seen[0]!.address])
    world.remove(wanted)
    expect(addressesOf(world, at)).toEqual([])
    expect(() => world.remove(wanted)).toThrowError(expect.objectContaining({ errno: 99 }))
  })

  it('made by ip(8) is read as ip(8) reads it, and made again', () => {
    using scene = withLink()
    const { world, at } = scene
    world.ip(at, 'address', 'add', ...command.split(' '), 'dev', 'v0')
    const [read] = world.list('address', at)
    expect([read]).toEqual(addressesOf(world, at))
    world.remove(read!)
    world.create(read!)
    expect(world.list('address', at)).toEqual([read])
  })
})

describe('addresses', () => {
  it('are not made twice, but replaced where that is asked for', () => {
    using scene = withLink()
    const { world, at } = scene
    world.create(address(at, '10.0.0.2/24'))
    expect(() => world.create(address(at, '10.0.0.2/24'))).toThrowError(expect.objectContaining({ errno: 17 }))
    world.create(address(at, '10.0.0.2/24', { metric: 7 }), true)
    expect(addressesOf(world, at)).toEqual([address(at, '10.0.0.2/24', { metric: 7 })])
  })

  it.each([
    ['metric', '10.0.0.2/24', {}, { metric: 7 }],
    ['no metric', '10.0.0.2/24', { metric: 7 }, {}],
    ['broadcast', '10.0.0.2/24', {}, { broadcast: '10.0.0.255' }],
    ['prefix route', '10.0.0.2/24', {}, { noPrefixRoute: true }],
    ['prefix route of IPv6', 'fd00::2/64', { noPrefixRoute: true }, {}],
    ['peer', 'fd00::2/128', { peer: 'fd00::9' }, { peer: 'fd00::8' }],
    ['scope', '10.0.0.2/24', {}, { scope: 'link' as const }],
  ])('change their %s', (_what, text, from, to) => {
    using scene = withLink()
    const { world, at } = scene
    world.create(address(at, text, from))
    world.change(address(at, text, from), address(at, text, to))
    expect(addressesOf(world, at)).toEqual([address(at, text, to)])
  })

  it('change to another address, and not at all when nothing differs', () => {
    using scene = withLink()
    const { world, at } = scene
    world.create(address(at, '10.0.0.2/24'))
    world.change(address(at, '10.0.0.2/24'), address(at, '10.0.0.3/25'))
    expect(addressesOf(world, at)).toEqual([address(at, '10.0.0.3/25')])
    expect(
      world.messages(() => world.handler('address').change(address(at, '10.0.0.3/25'), address(at, '10.0.0.3/25'), world.session)),
    ).toBe(0)
  })

  it('of one prefix length are not those of another', () => {
    using scene = withLink()
    const { world, at } = scene
    for (const text of ['10.0.0.2/24', '10.0.0.2/32', '10.0.0.3/24']) world.create(address(at, text))
    world.remove(address(at, '10.0.0.2/32'))
    expect(addressesOf(world, at).map((each) => each.address)).toEqual(['10.0.0.2/24', '10.0.0.3/24'])
  })

  it('are listed of all links', () => {
    using scene = withLink()
    const { world, at } = scene
    world.ip(at, 'link', 'set', 'lo', 'up')
    world.create(address(at, '10.0.0.2/24'))
    world.create({ ...address(at, 'fd00::7/128'), link: 'v1' })
    expect(sorted(world.list('address', at))).toEqual(sorted(addressesOf(world, at)))
    expect(world.list('address', at)).toHaveLength(4)
  })

  it.each([
    ['address', { address: '10.0.0.2/33' }],
    ['address', { address: '10.0.0/24' }],
    ['address', { address: 'fe80::1%eth0/64' }],
    ['peer', { peer: 'fd00::1' }],
    ['broadcast', { address: 'fd00::1/64', broadcast: '10.0.0.255' }],
    ['noDad', { noDad: true }],
    ['scope', { scope: 'site' }],
    ['metric', { metric: -1 }],
    ['label', { label: 'v0:1' }],
  ])('with a bad %s are refused: %j', (field, fields) => {
    using scene = withLink()
    const { world, at } = scene
    expect(() => world.create({ ...address(at, '10.0.0.2/24'), ...fields } as AddressObject)).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_CNM_(INVALID_ARGUMENT|UNKNOWN_OPTION)$/), field }),
    )
    expect(addressesOf(world, at)).toEqual([])
  })

  it('need their link', () => {
    using scene = withLink()
    const { world, at } = scene
    expect(() => world.create({ ...address(at, '10.0.0.2/24'), link: 'none' })).toThrowError(
      expect.objectContaining({ code: 'ERR_CNM_LINK_NOT_FOUND' }),
    )
  })
})
