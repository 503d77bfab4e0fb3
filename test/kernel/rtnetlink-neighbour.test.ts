import { describe, expect, it } from 'vitest'
import type { FdbObject, NeighbourObject, Place } from '../../src/contracts/kernel-objects.js'
import { listNeighbours } from '../../src/kernel/rtnetlink/index.js'
import { fdbOf, neighboursOf, sorted } from './rtnetlink-iproute2.js'
import { lacks, World } from './rtnetlink-world.js'

const neighbour = (at: Place, fields: Partial<NeighbourObject>): NeighbourObject => ({
  kind: 'neighbour',
  at,
  link: 'v0',
  address: '10.0.0.9',
  mac: '02:00:00:00:00:09',
  ...fields,
})

const plain = <T extends object>(object: T): T => JSON.parse(JSON.stringify(object)) as T

function withLink(): { world: World; at: Place } & Disposable {
  const world = new World()
  const at = world.place()
  world.batch(
    at,
    'link add v0 type veth peer name v1',
    ...['v0', 'v1'].flatMap((end) => [`link set ${end} addrgenmode none`, `link set ${end} up`]),
    'address add 10.0.0.1/24 dev v0',
  )
  return { world, at, [Symbol.dispose]: () => world[Symbol.dispose]() }
}

describe('a neighbour', () => {
  it.each([
    [{}, '10.0.0.9 lladdr 02:00:00:00:00:09'],
    [{ state: 'noarp' as const }, '10.0.0.9 lladdr 02:00:00:00:00:09 nud noarp'],
    [{ state: 'reachable' as const, router: true }, '10.0.0.9 lladdr 02:00:00:00:00:09 nud reachable router'],
    [{ state: 'stale' as const }, '10.0.0.9 lladdr 02:00:00:00:00:09 nud stale'],
    [{ address: 'fd00::9' }, 'fd00::9 lladdr 02:00:00:00:00:09'],
    [{ mac: undefined, proxy: true }, 'proxy 10.0.0.9'],
    [{ address: 'fd00::9', mac: undefined, proxy: true }, 'proxy fd00::9'],
  ])('%j made by us is what ip(8) sees, and the other way round', (fields, command) => {
    using scene = withLink()
    const { world, at } = scene
    const wanted = plain(neighbour(at, fields))
    world.create(wanted)
    expect(neighboursOf(world, at)).toEqual([wanted])
    expect(world.list('neighbour', at)).toEqual([wanted])
    if (wanted.proxy === undefined) expect(() => world.create(wanted)).toThrowError(expect.objectContaining({ errno: 17 }))
    world.remove(wanted)
    expect(neighboursOf(world, at)).toEqual([])
    expect(() => world.remove(wanted)).toThrowError(expect.objectContaining({ errno: 2 }))
    world.ip(at, 'neighbour', 'add', ...command.split(' '), 'dev', 'v0')
    expect(world.list('neighbour', at)).toEqual([wanted])
    expect(listNeighbours(world.session, at, wanted.proxy === true, 'v0')).toEqual([wanted])
    expect(listNeighbours(world.session, at, wanted.proxy === true, 'v1')).toEqual([])
  })

  it('is replaced, changed, and told from the one answered for', () => {
    using scene = withLink()
    const { world, at } = scene
    world.create(neighbour(at, {}))
    world.create(neighbour(at, { mac: '02:00:00:00:00:0a' }), true)
    expect(neighboursOf(world, at)).toEqual([neighbour(at, { mac: '02:00:00:00:00:0a' })])
    world.change(neighbour(at, { mac: '02:00:00:00:00:0a' }), neighbour(at, { state: 'noarp' }))
    world.create(plain(neighbour(at, { proxy: true, mac: undefined })))
    expect(neighboursOf(world, at)).toEqual([neighbour(at, { state: 'noarp' }), plain(neighbour(at, { proxy: true, mac: undefined }))])
    world.change(neighbour(at, { state: 'noarp' }), neighbour(at, { address: '10.0.0.8' }))
    world.remove(plain(neighbour(at, { proxy: true, mac: undefined })))
    expect(neighboursOf(world, at)).toEqual([neighbour(at, { address: '10.0.0.8' })])
  })

  it('that the kernel found or failed to find by itself is listed or not', () => {
    using scene = withLink()
    const { world, at } = scene
    expect(() => world.run(at, 'ping', '-c1', '-W1', '10.0.0.77')).toThrow()
    world.ip(at, 'neighbour', 'add', '10.0.0.9', 'lladdr', '02:00:00:00:00:09', 'nud', 'delay', 'dev', 'v0')
    expect(world.list('neighbour', at)).toEqual([neighbour(at, { state: 'stale' })])
  })

  it.each([
    ['mac', { mac: undefined }],
    ['mac', { mac: '02:00:00:00:00:0g' }],
    ['address', { address: '10.0.0.9/24' }],
    ['state', { state: 'failed' }],
    ['proxy', { proxy: true }],
    ['colour', { colour: 'red' }],
  ])('with a bad %s is refused: %j', (field, fields) => {
    using scene = withLink()
    const { world, at } = scene
    expect(() => world.create({ ...neighbour(at, {}), ...fields } as NeighbourObject)).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_CNM_(INVALID_ARGUMENT|UNKNOWN_OPTION)$/), field }),
    )
    expect(neighboursOf(world, at)).toEqual([])
  })
})

// Where ports have VLANs, the bridge adds an entry for each of them.
const noVlans = lacks('VLAN filtering of bridges', 'ip link add b0 type bridge vlan_filtering 1')
const ZERO = '00:00:00:00:00:00'
const entry = (at: Place, fields: Partial<FdbObject>): FdbObject => ({ kind: 'fdb', at, link: 'vx0', mac: '02:00:00:00:00:09', ...fields })

function withTables(): { world: World; at: Place; ours(): FdbObject[] } & Disposable {
  const world = new World()
  const at = world.place()
  world.batch(
    at,
    'link add vx0 type vxlan id 5 dstport 4789',
    'link add vx6 type vxlan id 6 dstport 4790 local fd00::1',
    `link add br0 type bridge ${noVlans === undefined ? 'vlan_default_pvid 0' : ''}`,
    'link add v0 type veth peer name v1',
    'link set v0 master br0',
    ...['br0', 'v0', 'v1'].flatMap((name) => [`link set ${name} addrgenmode none`, `link set ${name} up`]),
  )
  world.until(() => world.show('bridge', at, 'link').every(({ state }) => state === 'forwarding'))
  const ours = (): FdbObject[] => fdbOf(world, at).filter(({ mac }) => mac.startsWith('02:00:00:00:00:') || mac === ZERO)
  return { world, at, ours, [Symbol.dispose]: () => world[Symbol.dispose]() }
}

describe('a forwarding entry', () => {
  it.each([
    [{ destination: '192.0.2.1' }, 'dev vx0 dst 192.0.2.1'],
    [{ destination: '192.0.2.1', port: 9999, vni: 77 }, 'dev vx0 dst 192.0.2.1 port 9999 vni 77'],
    [{ link: 'vx6', destination: '2001:db8::1' }, 'dev vx6 dst 2001:db8::1'],
    [{ link: 'v0', table: 'master' as const, state: 'noarp' as const }, 'dev v0 master static'],
    [{ link: 'v0', table: 'master' as const }, 'dev v0 master permanent'],
    [{ link: 'v0', table: 'master' as const, state: 'reachable' as const }, 'dev v0 master dynamic'],
  ])('%j made by us is what bridge(8) sees, and the other way round', (fields, command) => {
    using scene = withTables()
    const { world, at, ours } = scene
    const wanted = entry(at, fields)
    world.create(wanted)
    expect(ours()).toEqual([wanted])
    expect(sorted(world.list('fdb', at))).toEqual(sorted(fdbOf(world, at)))
    expect(() => world.create(wanted)).toThrowError(expect.objectContaining({ errno: 17 }))
    world.remove(wanted)
    expect(ours()).toEqual([])
    expect(() => world.remove(wanted)).toThrowError(expect.objectContaining({ errno: 2 }))
    world.bridge(at, 'fdb', 'add', wanted.mac, ...command.split(' '))
    expect(sorted(world.list('fdb', at))).toEqual(sorted(fdbOf(world, at)))
    expect(ours()).toEqual([wanted])
  })

  it('for all others has several destinations, each removed by itself', () => {
    using scene = withTables()
    const { world, at, ours } = scene
    const all = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((destination) => entry(at, { mac: ZERO, destination }))
    for (const each of all) world.create(each)
    world.create(all[1]!)
    expect(sorted(ours())).toEqual(sorted(all))
    expect(sorted(world.list('fdb', at))).toEqual(sorted(fdbOf(world, at)))
    world.remove(all[1]!)
    expect(sorted(ours())).toEqual(sorted([all[0]!, all[2]!]))
    // The kernel does not mind that this one is gone.
    world.remove(all[1]!)
    expect(sorted(ours())).toEqual(sorted([all[0]!, all[2]!]))
    world.change(all[0]!, entry(at, { mac: ZERO, destination: '192.0.2.9' }))
    expect(sorted(ours())).toEqual(sorted([all[2]!, entry(at, { mac: ZERO, destination: '192.0.2.9' })]))
  })

  it('of one MAC moves to another destination, and is replaced', () => {
    using scene = withTables()
    const { world, at, ours } = scene
    const [first, second, third] = ['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((destination) => entry(at, { destination }))
    world.create(first!)
    world.change(first!, second!)
    expect(ours()).toEqual([second])
    world.create(third!, true)
    expect(ours()).toEqual([third])
    // Nor that it leads elsewhere now; but it stays.
    world.remove(first!)
    expect(ours()).toEqual([third])
  })

  it.each([
    ['mac', { mac: '02-00-00-00-00-09' }],
    ['destination', { destination: 'there' }],
    ['port', { port: 65_536 }],
    ['vni', { vni: 2 ** 24 }],
    ['vlan', { vlan: 4095 }],
    ['table', { table: 'both' }],
    ['state', { state: 'stale' }],
  ])('with a bad %s is refused: %j', (field, fields) => {
    using scene = withTables()
    const { world, at, ours } = scene
    expect(() => world.create({ ...entry(at, { destination: '192.0.2.1' }), ...fields } as FdbObject)).toThrowError(
      expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT', field }),
    )
    expect(ours()).toEqual([])
  })
})
