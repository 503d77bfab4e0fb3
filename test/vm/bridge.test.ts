import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { bridge } from '../../drivers/bridge/index.js'
import { check } from '../../src/engine/check.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { bare, DriverWorld, sh, succeeds } from '../drivers/world.js'
import { needs, needsPrivileges } from '../tools.js'

/** What the bridge driver can do with kernels that have VLAN filtering and VRFs. */
describe.skipIf(needsPrivileges() ?? needs('ip', 'bridge', 'ping'))('bridge networks on a stock kernel', () => {
  let world: DriverWorld
  let before: Census
  const pings = (at: string, to: string): Promise<boolean> => succeeds(at, 'ping', '-c1', '-W2', to)
  const vlans = (link: string): unknown => (JSON.parse(sh('host', 'bridge', '-j', 'vlan', 'show', 'dev', link)) as { vlans: unknown }[])[0]?.vlans

  beforeAll(async () => {
    world = await DriverWorld.open(bridge())
    await world.join('first', await world.network())
    await world.clear()
  })
  beforeEach(async () => {
    before = await takeCensus()
  })
  afterEach(async () => {
    await world.clear()
    expect(await leftBehind(before)).toEqual([])
  })
  afterAll(() => world[Symbol.asyncDispose]())

  it('keep VLANs apart', async () => {
    const network = await world.network({ vlan: '30' }, { ipv6: false })
    const [a, b] = [await world.join('a', network), await world.join('b', network)]
    const other = await world.join('other', network, { vlan: '31' })
    const trunk = await world.join('trunk', network, { vlan_trunk: '31,40-42' })
    expect(vlans(`br-${network.shortId}`)).toEqual([{ vlan: 30, flags: ['PVID', 'Egress Untagged'] }])
    expect(vlans(`veth${a.view.id.slice(0, 11)}`)).toEqual([{ vlan: 30, flags: ['PVID', 'Egress Untagged'] }])
    expect(vlans(`veth${other.view.id.slice(0, 11)}`)).toEqual([{ vlan: 31, flags: ['PVID', 'Egress Untagged'] }])
    expect(await pings('a', bare(b, 4))).toBe(true)
    expect(await pings('a', network.subnets[0]!.gateway!)).toBe(true)
    expect(await pings('other', bare(a, 4))).toBe(false)
    sh('trunk', 'sh', '-ec', `ip link add link eth0 name eth0.31 type vlan id 31\nip addr flush dev eth0\nip addr add ${bare(trunk, 4)}/24 dev eth0.31\nip link set eth0.31 up`)
    expect(await pings('trunk', bare(other, 4))).toBe(true)
    expect(await pings('trunk', bare(a, 4))).toBe(false)
    expect((await check(world.engine, world.kernel)).filter(({ object }) => object.includes('vlan'))).toEqual([])
  })

  it('take their VLAN on a bridge of somebody else', async () => {
    sh('host', 'sh', '-ec', 'ip link add own0 address 02:00:00:00:02:00 type bridge vlan_filtering 1\nip link set own0 addrgenmode none up')
    try {
      const network = await world.network({ 'com.docker.network.bridge.name': 'own0', mode: 'unmanaged', vlan: '7' }, { ipv6: false })
      const [a, b] = [await world.join('a', network), await world.join('b', network)]
      await world.join('tagless', network, { vlan: '8' })
      expect(vlans(`veth${a.view.id.slice(0, 11)}`)).toEqual([{ vlan: 7, flags: ['PVID', 'Egress Untagged'] }])
      expect(await pings('a', bare(b, 4))).toBe(true)
      expect(await pings('tagless', bare(b, 4))).toBe(false)
      await world.clear()
    } finally {
      sh('host', 'ip', 'link', 'delete', 'own0')
    }
  })

  it('refuse VLANs of endpoints where the network has none', async () => {
    const network = await world.network({}, { ipv6: false })
    await expect(world.join('a', network, { vlan: '7' })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'options.vlan' })
    sh('host', 'ip', 'netns', 'delete', 'a')
  })

  it('live in a VRF', async () => {
    sh('host', 'sh', '-ec', 'ip link add red type vrf table 77\nip link set red up')
    try {
      const network = await world.network({ vrf: 'red' }, { ipv6: false })
      const a = await world.join('a', network)
      const [made] = JSON.parse(sh('host', 'ip', '-j', 'link', 'show', `br-${network.shortId}`)) as { master?: string }[]
      expect(made!.master).toBe('red')
      expect(sh('host', 'ip', 'route', 'show', 'table', '77')).toContain(network.subnets[0]!.subnet)
      expect(await succeeds('host', 'ping', '-c1', '-W2', '-I', 'red', bare(a, 4))).toBe(true)
      await world.clear()
    } finally {
      sh('host', 'ip', 'link', 'delete', 'red')
    }
  })
})
