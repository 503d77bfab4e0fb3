import { describe, expect, it } from 'vitest'
import type { LinkObject } from '../../src/contracts/kernel-objects.js'
import { listLinks } from '../../src/kernel/rtnetlink/index.js'
import { linksOf } from './rtnetlink-iproute2.js'
import { bridge, read, shown, veth } from './rtnetlink-link-scene.js'
import { World } from './rtnetlink-world.js'

describe('creation', () => {
  it('puts the peer of a veth into its namespace, up, with the indexes that were asked for', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(bridge(a, 'br0'))
    const link = veth(a, b, {
      index: 1234,
      master: 'br0',
      mac: '02:00:00:00:00:0a',
      alias: 'owner a',
      peer: { at: b, name: 'eth0', index: 77, mac: '02:00:00:00:00:0b', mtu: 1400, alias: 'owner b', group: 4 },
    })
    world.create(link)
    expect(shown(world, a, 'v0')).toMatchObject({ index: 1234, master: 'br0', mac: '02:00:00:00:00:0a', alias: 'owner a' })
    expect(shown(world, b, 'eth0')).toMatchObject({ index: 77, mac: '02:00:00:00:00:0b', mtu: 1400, alias: 'owner b', group: 4 })
    for (const [at, name] of [
      [a, 'v0'],
      [b, 'eth0'],
    ] as const) {
      expect(world.show('ip', at, 'link', 'show', name)[0]).toMatchObject({ operstate: 'UP' })
    }
    expect(listLinks(a, world.session, [b]).find(({ name }) => name === 'v0')).toMatchObject({
      peer: { at: b, name: 'eth0', index: 77, mac: '02:00:00:00:00:0b', mtu: 1400, alias: 'owner b', group: 4 },
    })
    expect(listLinks(b, world.session, [a]).find(({ name }) => name === 'eth0')).toMatchObject({
      peer: { at: a, name: 'v0', index: 1234, alias: 'owner a' },
    })
    expect(read(world, a, 'v0')).toMatchObject({ peer: { at: expect.stringMatching(/^nsid:\d+$/), name: 'eth0' } })
  })

  it('gives a veth pair one queue at either end, not one per processor', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(veth(a, b, { peer: { at: b, name: 'eth0' } }))
    const queues = { num_tx_queues: 1, num_rx_queues: 1 }
    expect(world.show('ip', a, 'link', 'show', 'v0')[0]).toMatchObject(queues)
    expect(world.show('ip', b, 'link', 'show', 'eth0')[0]).toMatchObject(queues)
  })

  it('takes one message for a link with index, name, MAC, MTU, master, group and state, and its peer', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(bridge(a, 'br0'))
    const link = veth(a, b, {
      index: 50,
      master: 'br0',
      mac: '02:00:00:00:00:0a',
      mtu: 1400,
      group: 3,
      peer: { at: b, name: 'v1', up: false },
    })
    expect(world.messages(() => world.handler('link').create(link, world.session, false))).toBe(1)
    expect(shown(world, a, 'v0')).toMatchObject({ index: 50, master: 'br0', mac: '02:00:00:00:00:0a', mtu: 1400, group: 3 })
    expect(shown(world, a, 'v0')!.up).toBeUndefined()
  })

  it('generates no link-local address where none is wanted, at either end', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(veth(a, b, { ipv6AddressGeneration: 'none', peer: { at: b, name: 'v1', ipv6AddressGeneration: 'none' } }))
    for (const [at, name] of [
      [a, 'v0'],
      [b, 'v1'],
    ] as const) {
      expect(world.show('ip', at, 'link', 'show', name)[0]).toMatchObject({ operstate: 'UP', inet6_addr_gen_mode: 'none' })
      expect(world.show('ip', at, '-6', 'address', 'show', name)).toEqual([])
    }
  })

  it('refuses a name that is taken, and leaves that link alone', () => {
    using world = new World()
    const a = world.place()
    world.create(bridge(a, 'x0'))
    const before = linksOf(world, a)
    expect(() => world.create(bridge(a, 'x0', { mtu: 1400 }))).toThrowError(expect.objectContaining({ errno: 17 }))
    expect(linksOf(world, a)).toEqual(before)
  })

  it.each([
    ['a name that is too long', { name: 'sixteen-letters-' }, 'name'],
    ['a name with a slash', { name: 'a/b' }, 'name'],
    ['a name that the kernel would number', { name: 'veth%d' }, 'name'],
    ['a malformed MAC', { mac: '02:00:00:00:00' }, 'mac'],
    ['an MTU that is no integer', { mtu: 1400.5 }, 'mtu'],
    ['a negative group', { group: -1 }, 'group'],
    ['an alias that is too long', { alias: 'x'.repeat(256) }, 'alias'],
    ['a state that is no boolean', { up: 'no' }, 'up'],
    ['an unknown option', { colour: 'red' }, 'colour'],
    ['an unknown option of a bridge', { bridge: { colour: 'red' } }, 'colour'],
    ['an option of a bridge out of range', { bridge: { priority: 70_000 } }, 'priority'],
    ['an unknown type', { type: 'token-ring' }, 'type'],
    ['an attribute with a name as an unknown one', { unknown: { 3: '6161' } }, 'unknown'],
  ])('refuses %s before the kernel is asked', (_what, fields, field) => {
    using world = new World()
    const a = world.place()
    const before = linksOf(world, a)
    expect(() => world.create({ ...bridge(a, 'x0'), ...fields } as LinkObject)).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_CNM_(INVALID_ARGUMENT|UNKNOWN_OPTION)$/), field }),
    )
    world.session.flush()
    expect(linksOf(world, a)).toEqual(before)
  })

  it('keeps attributes that it has no name for', () => {
    using world = new World()
    const a = world.place()
    world.ip(a, 'link', 'add', 'x0', 'gso_max_size', '40000', 'type', 'bridge')
    const link = read(world, a, 'x0')!
    expect(link.unknown).toEqual({
      41: Buffer.from(new Uint32Array([40000]).buffer).toString('hex'),
      ...(link.unknown?.[63] === undefined ? {} : { 63: link.unknown[63] }),
    })
    world.remove(link)
    world.create(link)
    expect(world.show('ip', a, 'link', 'show', 'x0')[0]).toMatchObject({ gso_max_size: 40000 })
    expect(read(world, a, 'x0')).toEqual(link)
  })
})
