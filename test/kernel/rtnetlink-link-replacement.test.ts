import { describe, expect, it } from 'vitest'
import { bridge, shown, veth } from './rtnetlink-link-scene.js'
import { World } from './rtnetlink-world.js'

describe('replacement', () => {
  it('makes a link that is not there', () => {
    using world = new World()
    const a = world.place()
    world.create(bridge(a, 'br0', { mtu: 1400 }), true)
    expect(shown(world, a, 'br0')).toMatchObject({ type: 'bridge', mtu: 1400 })
  })

  it('changes one that can become the other, without making it anew', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(veth(a, b, { index: 55, alias: 'old', promiscuous: true }))
    world.create(veth(a, b, { alias: 'new', mtu: 1400, peer: { at: b, name: 'v1', alias: 'peer' } }), true)
    expect(shown(world, a, 'v0')).toMatchObject({ index: 55, alias: 'new', mtu: 1400 })
    expect(shown(world, a, 'v0')!.promiscuous).toBeUndefined()
    expect(shown(world, b, 'v1')).toMatchObject({ alias: 'peer' })
  })

  it('makes anew what cannot', () => {
    using world = new World()
    const [a, b] = [world.place('a'), world.place('b')]
    world.create(veth(a, a))
    world.create(veth(a, b), true)
    expect(shown(world, b, 'v1')).toBeDefined()
    expect(shown(world, a, 'v1')).toBeUndefined()
    world.create(bridge(a, 'v0'), true)
    expect(shown(world, a, 'v0')).toMatchObject({ type: 'bridge' })
    expect(shown(world, b, 'v1')).toBeUndefined()
  })
})

describe('a link of somebody else', () => {
  it('is set up, and on removal leaves the bridge and loses the owner, nothing else', () => {
    using world = new World()
    const a = world.place()
    world.ip(a, 'link', 'add', 'x0', 'type', 'veth', 'peer', 'name', 'x1')
    world.create(bridge(a, 'br0'))
    const link = {
      kind: 'link',
      at: a,
      type: 'existing',
      name: 'x0',
      master: 'br0',
      alias: 'ours',
      mtu: 1400,
      ipv6AddressGeneration: 'none',
    } as const
    world.create(link)
    expect(shown(world, a, 'x0')).toMatchObject({ master: 'br0', alias: 'ours', mtu: 1400, ipv6AddressGeneration: 'none' })
    expect(shown(world, a, 'x0')!.up).toBeUndefined()
    world.remove(link)
    const after = shown(world, a, 'x0')!
    expect(after).toMatchObject({ mtu: 1400 })
    expect(after.master).toBeUndefined()
    expect(after.alias).toBeUndefined()
  })

  it('must be there', () => {
    using world = new World()
    expect(() => world.create({ kind: 'link', at: world.place(), type: 'existing', name: 'x0' })).toThrowError(
      expect.objectContaining({ code: 'ERR_CNM_LINK_NOT_FOUND' }),
    )
  })
})
