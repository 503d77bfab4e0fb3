import type { LinkObject, Place } from '../../src/contracts/kernel-objects.js'
import { has, json, number, plain, text, unless, type Json } from './rtnetlink-iproute2-json.js'
import type { World } from './rtnetlink-world.js'

/** Links but for peers and lower links in other namespaces, of which ip(8) knows only a number. */
export function linksOf(world: World, at: Place): LinkObject[] {
  return world.show('ip', at, 'link').map((link) => linkOf(link, at))
}

function linkOf(link: Json, at: Place): LinkObject {
  const info = json(link.linkinfo)
  const type = KNOWN.has(String(info.info_kind)) ? String(info.info_kind) : 'existing'
  const data = json(info.info_data)
  const withoutArp = ['dummy', 'ifb', 'wireguard', 'vrf'].includes(type)
  const noArp = has(link.flags, 'NOARP')
  return plain({
    kind: 'link',
    at,
    type,
    name: String(link.ifname),
    index: Number(link.ifindex),
    mac: link.link_type === 'ether' && type !== 'ipvlan' ? text(link.address) : undefined,
    mtu: number(link.mtu),
    up: has(link.flags, 'UP') ? undefined : false,
    group: link.group === 'default' ? undefined : number(link.group),
    alias: text(link.ifalias),
    txQueueLength: unless(number(link.txqlen), type === 'ifb' ? 32 : 1000),
    promiscuous: has(link.flags, 'PROMISC') ? true : undefined,
    allMulticast: has(link.flags, 'ALLMULTI') ? true : undefined,
    arp: noArp === withoutArp || type === 'ipvlan' ? undefined : !noArp,
    ipv6AddressGeneration: unless(
      link.inet6_addr_gen_mode === 'stable_secret' ? 'stable-privacy' : text(link.inet6_addr_gen_mode),
      'eui64',
    ),
    master: text(link.master),
    ...DETAILS[type]?.(data, link, at),
  } as unknown as LinkObject)
}

const KNOWN = new Set(['bridge', 'veth', 'vxlan', 'macvlan', 'ipvlan', 'vlan', 'vrf', 'dummy', 'ifb', 'wireguard'])
const parent = (link: Json): { name: string } | undefined =>
  link.link === undefined || link.link_netnsid !== undefined ? undefined : { name: String(link.link) }

const DETAILS: Record<string, (data: Json, link: Json, at: Place) => Json> = {
  bridge: (data) => ({
    bridge: plain({
      forwardDelay: unless(number(data.forward_delay), 1500),
      helloTime: unless(number(data.hello_time), 200),
      maxAge: unless(number(data.max_age), 2000),
      ageingTime: unless(number(data.ageing_time), 30000),
      stp: unless(data.stp_state !== 0, false),
      priority: unless(number(data.priority), 32768),
      vlanFiltering: unless(data.vlan_filtering !== 0, false),
      groupForwardMask: unless(Number.parseInt(String(data.group_fwd_mask), 16), 0),
      multicastSnooping: data.mcast_snooping === undefined ? undefined : unless(data.mcast_snooping !== 0, true),
      vlanDefaultPvid: unless(number(data.vlan_default_pvid), 1),
    }),
  }),
  vxlan: (data) => ({
    vxlan: plain({
      id: Number(data.id),
      port: unless(number(data.port), 4789),
      local: text(data.local ?? data.local6),
      remote: text(data.remote ?? data.remote6 ?? data.group ?? data.group6),
      learning: unless(data.learning !== false, true),
      proxy: data.proxy === true ? true : undefined,
      l2miss: data.l2miss === true ? true : undefined,
      l3miss: data.l3miss === true ? true : undefined,
      ttl: unless(number(data.ttl), 0),
      tos: unless(number(data.tos ?? 0), 0),
      ageing: unless(number(data.ageing), 300),
      udpChecksum: unless(data.udp_csum !== false, true),
      udp6ZeroChecksumTx: unless(data.udp_zero_csum6_tx === true, false),
      udp6ZeroChecksumRx: unless(data.udp_zero_csum6_rx === true, false),
      gbp: data.gbp === undefined ? undefined : true,
    }),
    parent: parent(data),
  }),
  macvlan: (data, link) => ({
    parent: parent(link),
    mode: data.mode,
    sourceMacs: (data.macaddr_data as string[] | undefined)?.sort(),
    broadcastQueueLength: unless(number(data.bcqueuelen), 1000),
  }),
  ipvlan: (data, link) => ({
    parent: parent(link),
    mode: data.mode,
    flag: data.private === true ? 'private' : data.vepa === true ? 'vepa' : undefined,
  }),
  vlan: (data, link) => ({
    parent: parent(link),
    id: data.id,
    protocol: unless(text(data.protocol), '802.1Q'),
    looseBinding: unless(Array.isArray(data.flags) && data.flags.includes('LOOSE_BINDING'), false),
  }),
  vrf: (data) => ({ table: data.table }),
}
