import { describe, expect, it } from 'vitest'
import type { LinkObject, Place } from '../../src/contracts/kernel-objects.js'
import { linksOf, sorted } from './rtnetlink-iproute2.js'
import { lacks, World } from './rtnetlink-world.js'

const PARENT_VETH = ['ip link add p0 type veth peer name p1']

interface Case {
  name: string
  /** Why it cannot run here. */
  missing?: string
  /** What must be there before, made by ip(8). */
  before?: string[]
  link(at: Place): LinkObject
  /** The same in the words of ip(8). */
  command: string
}

const missing = {
  dummy: lacks('dummy links', 'ip link add d0 type dummy'),
  vlan: lacks('VLAN links', ...PARENT_VETH, 'ip link add link p0 name v0 type vlan id 5'),
  ipvlan: lacks('ipvlan links', ...PARENT_VETH, 'ip link add link p0 name v0 type ipvlan'),
  vrf: lacks('VRF links', 'ip link add v0 type vrf table 5'),
  wireguard: lacks('WireGuard links', 'ip link add w0 type wireguard'),
  ifb: lacks('ifb links', 'ip link add i0 type ifb'),
  vlanFiltering: lacks('VLAN filtering of bridges', 'ip link add b0 type bridge vlan_filtering 1'),
}

const link = (at: Place, fields: Record<string, unknown>): LinkObject =>
  ({ kind: 'link', at, name: 'x0', up: false, ...fields }) as unknown as LinkObject

const CASES: Case[] = [
  { name: 'bridge', link: (at) => link(at, { type: 'bridge', up: true }), command: 'ip link add x0 up type bridge' },
  {
    name: 'bridge with options',
    link: (at) =>
      link(at, {
        type: 'bridge',
        bridge: {
          forwardDelay: 400,
          helloTime: 150,
          maxAge: 900,
          ageingTime: 100,
          stp: true,
          priority: 4096,
          multicastSnooping: false,
          groupForwardMask: 8,
        },
      }),
    command:
      'ip link add x0 type bridge forward_delay 400 hello_time 150 max_age 900 ageing_time 100 stp_state 1 priority 4096 mcast_snooping 0 group_fwd_mask 8',
  },
  {
    name: 'bridge that filters VLANs',
    missing: missing.vlanFiltering,
    link: (at) => link(at, { type: 'bridge', bridge: { vlanFiltering: true, vlanDefaultPvid: 7 } }),
    command: 'ip link add x0 type bridge vlan_filtering 1 vlan_default_pvid 7',
  },
  {
    name: 'veth with everything',
    before: ['ip link add br0 type bridge'],
    link: (at) =>
      link(at, {
        type: 'veth',
        mac: '02:00:00:00:00:0a',
        mtu: 1400,
        group: 9,
        txQueueLength: 500,
        master: 'br0',
        up: true,
        promiscuous: true,
        allMulticast: true,
        arp: false,
        peer: { at, name: 'x1', mac: '02:00:00:00:00:0b', mtu: 1300, group: 10, up: false },
      }),
    command: 'ip link add x0 mtu 1400 address 02:00:00:00:00:0a txqueuelen 500 type veth peer name x1 address 02:00:00:00:00:0b mtu 1300',
  },
  {
    name: 'vxlan',
    before: PARENT_VETH,
    link: (at) =>
      link(at, {
        type: 'vxlan',
        parent: { name: 'p0' },
        vxlan: {
          id: 0xffffff,
          port: 8472,
          local: '192.0.2.1',
          remote: '192.0.2.9',
          learning: false,
          proxy: true,
          l2miss: true,
          l3miss: true,
          ttl: 9,
          tos: 16,
          ageing: 60,
          udpChecksum: false,
          udp6ZeroChecksumTx: true,
          udp6ZeroChecksumRx: true,
          gbp: true,
        },
      }),
    command:
      'ip link add x0 type vxlan id 16777215 dev p0 dstport 8472 local 192.0.2.1 remote 192.0.2.9 nolearning proxy l2miss l3miss ttl 9 tos 16 ageing 60 noudpcsum udp6zerocsumtx udp6zerocsumrx gbp',
  },
  {
    name: 'vxlan over IPv6 without a lower link',
    link: (at) => link(at, { type: 'vxlan', vxlan: { id: 1, local: '2001:db8::1', remote: '2001:db8::2' } }),
    command: 'ip link add x0 type vxlan id 1 dstport 4789 local 2001:db8::1 remote 2001:db8::2',
  },
  ...(['private', 'vepa', 'bridge', 'passthru'] as const).map((mode): Case => ({
    name: `macvlan ${mode}`,
    before: PARENT_VETH,
    link: (at) => link(at, { type: 'macvlan', parent: { name: 'p0' }, mode }),
    command: `ip link add link p0 name x0 type macvlan mode ${mode}`,
  })),
  {
    name: 'macvlan with sources',
    before: PARENT_VETH,
    link: (at) =>
      link(at, {
        type: 'macvlan',
        parent: { name: 'p0' },
        mode: 'source',
        sourceMacs: ['02:00:00:00:00:01', '02:00:00:00:00:02'],
        broadcastQueueLength: 77,
      }),
    command: 'ip link add link p0 name x0 type macvlan mode source bcqueuelen 77',
  },
  ...(
    [
      ['l2', undefined],
      ['l3', 'private'],
      ['l3s', 'vepa'],
    ] as const
  ).map(([mode, flag]): Case => ({
    name: `ipvlan ${mode}`,
    missing: missing.ipvlan,
    before: PARENT_VETH,
    link: (at) => link(at, { type: 'ipvlan', parent: { name: 'p0' }, mode, flag }),
    command: `ip link add link p0 name x0 type ipvlan mode ${mode}${flag === undefined ? '' : ` ${flag}`}`,
  })),
  ...(['802.1Q', '802.1ad'] as const).map((protocol): Case => ({
    name: `vlan ${protocol}`,
    missing: missing.vlan,
    before: PARENT_VETH,
    link: (at) => link(at, { type: 'vlan', parent: { name: 'p0' }, id: 4094, protocol }),
    command: `ip link add link p0 name x0 type vlan id 4094 protocol ${protocol}`,
  })),
  { name: 'dummy', missing: missing.dummy, link: (at) => link(at, { type: 'dummy', up: true }), command: 'ip link add x0 up type dummy' },
  { name: 'ifb', missing: missing.ifb, link: (at) => link(at, { type: 'ifb', up: true }), command: 'ip link add x0 up type ifb' },
  {
    name: 'vrf',
    missing: missing.vrf,
    link: (at) => link(at, { type: 'vrf', table: 70_000, up: true }),
    command: 'ip link add x0 up type vrf table 70000',
  },
  {
    name: 'wireguard',
    missing: missing.wireguard,
    link: (at) => link(at, { type: 'wireguard' }),
    command: 'ip link add x0 type wireguard',
  },
]

const prepare = (world: World, at: Place, commands: readonly string[] = []): void => {
  if (commands.length > 0) world.batch(at, ...commands.map((command) => command.slice('ip '.length)))
}

const own = (links: readonly LinkObject[]): LinkObject => {
  const found = links.find(({ name }) => name === 'x0')
  expect(found).toBeDefined()
  return found!
}

/** Peers are not in what ip(8) says of a link. */
const withoutPeer = (each: LinkObject): LinkObject => {
  if (each.type !== 'veth') return each
  const { peer: _peer, ...rest } = each
  return rest as LinkObject
}

describe('a link made by us', () => {
  for (const each of CASES) {
    it.skipIf(each.missing)(`${each.name}: ip(8) sees what was asked for, and so do we`, () => {
      using world = new World()
      const at = world.place()
      prepare(world, at, each.before)
      const wanted = each.link(at)
      world.create(wanted)
      const seen = linksOf(world, at)
      const { up, ...fields } = wanted
      expect(own(seen)).toMatchObject(
        withoutPeer(
          JSON.parse(
            JSON.stringify({
              ...fields,
              protocol:
                'protocol' in wanted && wanted.protocol === '802.1Q' ? undefined : 'protocol' in wanted ? wanted.protocol : undefined,
            }),
          ) as LinkObject,
        ),
      )
      expect(own(seen).up ?? true).toBe(up ?? true)
      expect(sorted(world.list('link', at).map(withoutPeer))).toEqual(sorted(seen))
    })

    it.skipIf(each.missing)(`${each.name}: the normal form makes it again`, () => {
      using world = new World()
      const at = world.place()
      prepare(world, at, each.before)
      world.create(each.link(at))
      const first = own(world.list('link', at))
      world.remove(first)
      expect(world.list('link', at).map(({ name }) => name)).not.toContain('x0')
      world.create(first)
      expect(own(world.list('link', at))).toEqual(first)
    })
  }
})

describe('a link made by ip(8)', () => {
  for (const each of CASES) {
    it.skipIf(each.missing)(`${each.name}: is read as ip(8) reads it`, () => {
      using world = new World()
      const at = world.place()
      prepare(world, at, [...(each.before ?? []), each.command])
      expect(sorted(world.list('link', at).map(withoutPeer))).toEqual(sorted(linksOf(world, at)))
      expect(own(world.list('link', at)).type).toBe(each.link(at).type)
    })
  }

  it('of a type that is not ours: is there, and is existing', () => {
    using world = new World()
    const at = world.place()
    world.ip(at, 'tuntap', 'add', 'x0', 'mode', 'tap')
    expect(own(world.list('link', at))).toMatchObject({ type: 'existing', up: false })
  })
})
