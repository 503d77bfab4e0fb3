import { beforeAll, describe, expect, it } from 'vitest'
import { probe } from '../../src/kernel/probe/index.js'
import { eachLeavesNothing, openBridgeWorld } from '../drivers/bridge-world.js'
import { bare, type DriverWorld, sh, succeeds, type Member } from '../drivers/world.js'
import { needs, needsPrivileges, skipping } from '../tools.js'

const { features } = probe(['bridge-vlan-filtering', 'link-vlan', 'link-vrf'])
const lacks = (...names: (keyof typeof features)[]): string | undefined => {
  const name = names.find((each) => !features[each].available)
  return name === undefined ? undefined : skipping(`${name}: ${features[name].reason}`)
}

interface PortVlans {
  ifname: string
  vlans: { vlan: number; flags?: string[] }[]
}

const NAMED = { 'com.docker.network.bridge.name': 'br0' }
const pings = (from: string, to: string): Promise<boolean> => succeeds(from, 'ping', '-c1', '-W3', to)
/** What is expected to be reached is asked for more often: the machine is slow, a wrong rule is no faster. */
const reaches = async (from: string, to: string): Promise<boolean> => {
  for (let tries = 0; tries < 6; tries++) if (await pings(from, to)) return true
  return false
}
const vlansOf = (port: string): PortVlans['vlans'] =>
  (JSON.parse(sh('host', 'bridge', '-j', 'vlan', 'show', 'dev', port)) as PortVlans[]).find(({ ifname }) => ifname === port)?.vlans ?? []
const portOf = (member: Member): string => `veth${member.view.id.slice(0, 11)}`

describe.skipIf(needsPrivileges() ?? needs('ip', 'bridge', 'ping'))('bridge networks on a kernel that has everything', () => {
  let world: DriverWorld
  beforeAll(async () => {
    world = await openBridgeWorld()
    // With the first VRF the kernel adds a rule for all of them, and keeps it.
    if (features['link-vrf'].available) sh('host', 'sh', '-ec', 'ip link add red type vrf table 100\nip link delete red')
  })
  eachLeavesNothing(() => world)

  describe.skipIf(lacks('bridge-vlan-filtering'))('VLANs', () => {
    it('keep endpoints of one bridge apart; the host is in the network’s', async () => {
      const network = await world.network({ vlan: '7' })
      const [a, b] = [await world.join('a', network), await world.join('b', network)]
      const other = await world.join('other', network, { vlan: '8' })
      expect(vlansOf(portOf(a))).toEqual([{ vlan: 7, flags: ['PVID', 'Egress Untagged'] }])
      expect(vlansOf(portOf(other))).toEqual([{ vlan: 8, flags: ['PVID', 'Egress Untagged'] }])
      for (const family of [4, 6] as const) {
        expect(await reaches('a', bare(b, family))).toBe(true)
        expect(await pings('a', bare(other, family))).toBe(false)
        expect(await reaches('host', bare(a, family))).toBe(true)
        expect(await pings('host', bare(other, family))).toBe(false)
      }
    })

    it.skipIf(lacks('link-vlan'))('of a trunk are all there, tagged, and no others', async () => {
      const network = await world.network({ vlan: '7' })
      const trunk = await world.join('trunk', network, { vlan_trunk: '8,20-22' })
      const members = [
        await world.join('in7', network),
        await world.join('in8', network, { vlan: '8' }),
        await world.join('in21', network, { vlan: '21' }),
      ]
      await world.join('in9', network, { vlan: '9' })
      expect(vlansOf(portOf(trunk)).map(({ vlan }) => vlan)).toEqual([7, 8, 20, 21, 22])
      for (const id of [8, 9, 21]) {
        sh('trunk', 'ip', 'link', 'add', 'link', 'eth0', 'name', `eth0.${id}`, 'type', 'vlan', 'id', String(id))
        sh('trunk', 'ip', 'addr', 'add', `192.168.${id}.1/24`, 'dev', `eth0.${id}`)
        sh('trunk', 'ip', 'link', 'set', `eth0.${id}`, 'up')
        sh(`in${id}`, 'ip', 'addr', 'add', `192.168.${id}.2/24`, 'dev', 'eth0')
      }
      expect(await reaches('trunk', bare(members[0]!, 4))).toBe(true)
      expect(await reaches('trunk', '192.168.8.2')).toBe(true)
      expect(await reaches('trunk', '192.168.21.2')).toBe(true)
      expect(await pings('trunk', '192.168.9.2')).toBe(false)
    })

    it('are set on the ports of a bridge that somebody else made, which stays as it was', async () => {
      sh(
        'host',
        'sh',
        '-ec',
        'ip link add br0 address 02:00:00:00:03:00 type bridge vlan_filtering 1\nip link set br0 addrgenmode none\nip link set br0 up',
      )
      const bridgeVlans = vlansOf('br0')
      try {
        const network = await world.network({ ...NAMED, vlan: '7' }, { ipv6: false })
        const [a, b] = [await world.join('a', network), await world.join('b', network)]
        const other = await world.join('other', network, { vlan: '8' })
        expect(vlansOf(portOf(a))).toEqual([{ vlan: 7, flags: ['PVID', 'Egress Untagged'] }])
        expect(await reaches('a', bare(b, 4))).toBe(true)
        expect(await pings('a', bare(other, 4))).toBe(false)
        await world.clear()
        expect(vlansOf('br0')).toEqual(bridgeVlans)
      } finally {
        sh('host', 'ip', 'link', 'delete', 'br0')
      }
    })
  })

  describe.skipIf(lacks('link-vrf'))('in a VRF', () => {
    it('have their routes in its table, and leave the VRF behind', async () => {
      sh('host', 'sh', '-ec', 'ip link add red type vrf table 100\nip link set red addrgenmode none\nip link set red up')
      try {
        const network = await world.network({ ...NAMED, vrf: 'red' })
        const [a, b] = [await world.join('a', network), await world.join('b', network)]
        const { gateway, subnet } = network.subnets[0]!
        expect(JSON.parse(sh('host', 'ip', '-j', 'link', 'show', 'br0'))).toMatchObject([{ master: 'red' }])
        expect(sh('host', 'ip', 'route', 'show', 'table', '100')).toContain(`${subnet} dev br0`)
        expect(sh('host', 'ip', 'route', 'show')).not.toContain(subnet)
        for (const family of [4, 6] as const) expect(await reaches('a', bare(b, family))).toBe(true)
        expect(await reaches('a', gateway!)).toBe(true)
        expect(await succeeds('host', 'ping', '-c1', '-W3', '-I', 'red', bare(a, 4))).toBe(true)
        expect(await succeeds('host', 'ping', '-c1', '-W1', bare(a, 4))).toBe(false)
        await world.clear()
        expect(sh('host', 'ip', 'link', 'show', 'red')).toContain('state UP')
      } finally {
        sh('host', 'ip', 'link', 'delete', 'red')
      }
    })
    it('that is not there are refused', async () => {
      await expect(world.network({ vrf: 'blue' })).rejects.toMatchObject({ code: 'ERR_CNM_INVALID_ARGUMENT', field: 'options.vrf' })
    })
  })
})
