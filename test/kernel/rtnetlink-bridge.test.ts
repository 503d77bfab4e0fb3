import { describe, expect, it } from 'vitest'
import type { BridgePortObject, BridgeVlanObject, Place } from '../../src/contracts/kernel-objects.js'
import { portsOf, sorted, vlansOf } from './rtnetlink-iproute2.js'
import { lacks, World } from './rtnetlink-world.js'

const port = (at: Place, fields: Partial<BridgePortObject> = {}): BridgePortObject => ({ kind: 'bridge-port', at, link: 'v0', ...fields })

function withBridge(options = ''): { world: World; at: Place } & Disposable {
  const world = new World()
  const at = world.place()
  world.batch(
    at,
    `link add br0 type bridge ${options}`,
    ...['v0', 'v1'].flatMap((name) => [`link add ${name} type veth peer name ${name}p`, `link set ${name} master br0`]),
  )
  return { world, at, [Symbol.dispose]: () => world[Symbol.dispose]() }
}

describe('a bridge port', () => {
  it.each([
    [{ hairpin: true }, 'hairpin on'],
    [{ isolated: true }, 'isolated on'],
    [{ learning: false }, 'learning off'],
    [{ flooding: false }, 'flood off'],
    [{ multicastFlooding: false }, 'mcast_flood off'],
    [{ broadcastFlooding: false }, 'bcast_flood off'],
    [{ neighbourSuppression: true }, 'neigh_suppress on'],
    [{ guard: true }, 'guard on'],
    [{ locked: true }, 'locked on'],
    [{ cost: 77 }, 'cost 77'],
    [{ priority: 5 }, 'priority 5'],
    [{ hairpin: true, isolated: true, learning: false, cost: 9, priority: 1 }, 'hairpin on isolated on learning off cost 9 priority 1'],
  ])('%j set by us is what bridge(8) sees, and the other way round', (fields, command) => {
    using scene = withBridge()
    const { world, at } = scene
    const before = portsOf(world, at)
    world.create(port(at, fields))
    const [mine] = portsOf(world, at).filter(({ link }) => link === 'v0')
    expect(mine).toEqual({ ...port(at, { cost: 2 }), ...fields })
    expect(sorted(world.list('bridge-port', at))).toEqual(sorted(portsOf(world, at)))
    expect(world.handler('bridge-port').read?.(port(at), world.session)).toEqual(mine)
    world.remove(port(at, fields))
    expect(portsOf(world, at)).toEqual(
      before.map((each) => (each.link === 'v0' && 'cost' in fields ? { ...each, cost: fields.cost } : each)),
    )
    world.bridge(at, 'link', 'set', 'dev', 'v0', ...command.split(' '))
    expect(world.list('bridge-port', at).find(({ link }) => link === 'v0')).toEqual(mine)
  })

  it('changes only what differs', () => {
    using scene = withBridge()
    const { world, at } = scene
    world.create(port(at, { hairpin: true, isolated: true }))
    world.bridge(at, 'link', 'set', 'dev', 'v0', 'learning', 'off')
    world.change(port(at, { hairpin: true, isolated: true }), port(at, { isolated: true, guard: true }))
    expect(portsOf(world, at)[0]).toEqual(port(at, { cost: 2, isolated: true, guard: true, learning: false }))
    expect(
      world.messages(() =>
        world.handler('bridge-port').change(port(at, { guard: true }), port(at, { guard: true, hairpin: false }), world.session),
      ),
    ).toBe(0)
  })

  it('is refused for a link that is none, and with an option that there is not', () => {
    using scene = withBridge()
    const { world, at } = scene
    expect(() => world.create({ ...port(at, { hairpin: true }), link: 'v0p' })).toThrowError(expect.objectContaining({ errno: 95 }))
    expect(() => world.create({ ...port(at), colour: 'red' } as BridgePortObject)).toThrowError(
      expect.objectContaining({ code: 'ERR_CNM_UNKNOWN_OPTION', field: 'colour' }),
    )
    expect(() => world.create({ ...port(at), hairpin: 1 } as unknown as BridgePortObject)).toThrowError(
      expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'hairpin' }),
    )
  })
})

const noVlans = lacks('VLAN filtering of bridges', 'ip link add b0 type bridge vlan_filtering 1')
const vlan = (at: Place, id: number, fields: Partial<BridgeVlanObject> = {}): BridgeVlanObject => ({
  kind: 'bridge-vlan',
  at,
  link: 'v0',
  id,
  ...fields,
})

describe.skipIf(noVlans)('a VLAN of a bridge', () => {
  const usual = (at: Place): BridgeVlanObject[] =>
    ['v0', 'v1']
      .map((link) => ({ ...vlan(at, 1, { pvid: true, untagged: true }), link }))
      .concat({ ...vlan(at, 1, { pvid: true, untagged: true, self: true }), link: 'br0' })

  it.each([
    [5, {}, ['dev', 'v0', 'vid', '5']],
    [5, { pvid: true, untagged: true }, ['dev', 'v0', 'vid', '5', 'pvid', 'untagged']],
    [5, { untagged: true }, ['dev', 'v0', 'vid', '5', 'untagged']],
    [10, { end: 4094 }, ['dev', 'v0', 'vid', '10-4094']],
    [7, { link: 'br0', self: true }, ['dev', 'br0', 'vid', '7', 'self']],
  ])('%i %j made by us is what bridge(8) sees, and the other way round', (id, fields, command) => {
    using scene = withBridge('vlan_filtering 1')
    const { world, at } = scene
    expect(sorted(world.list('bridge-vlan', at))).toEqual(sorted(usual(at)))
    const wanted = vlan(at, id, fields)
    world.create(wanted)
    const seen = vlansOf(world, at)
    expect(seen).toContainEqual(wanted)
    expect(sorted(world.list('bridge-vlan', at))).toEqual(sorted(seen))
    world.remove(wanted)
    expect(vlansOf(world, at)).not.toContainEqual(wanted)
    world.bridge(at, 'vlan', 'add', ...command)
    expect(world.list('bridge-vlan', at)).toContainEqual(wanted)
  })

  it('changes its flags, and moves', () => {
    using scene = withBridge('vlan_filtering 1 vlan_default_pvid 0')
    const { world, at } = scene
    const states = [
      vlan(at, 5),
      vlan(at, 5, { pvid: true }),
      vlan(at, 5, { pvid: true, untagged: true }),
      vlan(at, 5, { untagged: true }),
      vlan(at, 6),
      vlan(at, 6, { end: 9 }),
    ]
    world.create(states[0]!)
    states.slice(1).forEach((state, i) => {
      world.change(states[i]!, state)
      expect(vlansOf(world, at)).toEqual([state])
    })
  })

  it('is refused where it cannot be', () => {
    using scene = withBridge('vlan_filtering 1')
    const { world, at } = scene
    for (const [field, bad] of [
      ['id', vlan(at, 4095)],
      ['id', vlan(at, 0)],
      ['end', vlan(at, 9, { end: 8 })],
      ['pvid', vlan(at, 9, { end: 10, pvid: true })],
    ] as const) {
      expect(() => world.create(bad)).toThrowError(expect.objectContaining({ code: 'ERR_CNM_INVALID_ARGUMENT', field }))
    }
    const before = vlansOf(world, at)
    // The kernel does not mind that it is not there.
    world.remove(vlan(at, 77))
    expect(vlansOf(world, at)).toEqual(before)
  })
})
