/** What iproute2 says, in the normal form of libcnm: the second opinion that our own parsers are compared with. */
import type {
  AddressObject, BridgePortObject, BridgeVlanObject, FdbObject, LinkObject, NeighbourObject, Place, PolicyRuleObject, QdiscObject, RouteObject,
} from '../../src/contracts/kernel-objects.js'
import type { World } from './rtnetlink-world.js'

type Json = Record<string, unknown>

const text = (value: unknown): string | undefined => (value === undefined ? undefined : String(value))
const number = (value: unknown): number | undefined => (value === undefined ? undefined : Number(value))
const json = (value: unknown): Json => (value ?? {}) as Json
const list = (value: unknown): Json[] => (value ?? []) as Json[]
const has = (value: unknown, word: string): boolean => (value as string[] | undefined)?.includes(word) === true
const unless = <T>(value: T, usual: T): T | undefined => (value === usual ? undefined : value)

/** Without absent fields and empty options. */
function plain<T extends object>(object: T): T {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined && !(typeof value === 'object' && value !== null && Object.keys(value).length === 0)),
  ) as T
}

/** Links but for peers and lower links in other namespaces, of which ip(8) knows only a number. */
export function linksOf(world: World, at: Place): LinkObject[] {
  return world.show('ip', at, 'link').map((link) => linkOf(link, at))
}

function linkOf(link: Json, at: Place): LinkObject {
  const info = json(link.linkinfo)
  const type = KNOWN.has(String(info.info_kind)) ? String(info.info_kind) : 'existing'
  const data = json(info.info_data)
  const withoutArp = ['dummy', 'ifb', 'wireguard', 'vrf'].includes(type) || (type === 'ipvlan' && data.mode !== 'l2')
  const noArp = has(link.flags, 'NOARP')
  return plain({
    kind: 'link', at, type, name: String(link.ifname), index: Number(link.ifindex),
    mac: link.link_type === 'ether' && type !== 'ipvlan' ? text(link.address) : undefined,
    mtu: number(link.mtu),
    up: has(link.flags, 'UP') ? undefined : false,
    group: link.group === 'default' ? undefined : number(link.group),
    alias: text(link.ifalias),
    txQueueLength: unless(number(link.txqlen), type === 'ifb' ? 32 : 1000),
    promiscuous: has(link.flags, 'PROMISC') ? true : undefined,
    allMulticast: has(link.flags, 'ALLMULTI') ? true : undefined,
    arp: noArp === withoutArp ? undefined : !noArp,
    ipv6AddressGeneration: unless(link.inet6_addr_gen_mode === 'stable_secret' ? 'stable-privacy' : text(link.inet6_addr_gen_mode), 'eui64'),
    master: text(link.master),
    ...DETAILS[type]?.(data, link, at),
  } as unknown as LinkObject)
}

const KNOWN = new Set(['bridge', 'veth', 'vxlan', 'macvlan', 'ipvlan', 'vlan', 'vrf', 'dummy', 'ifb', 'wireguard'])
const parent = (link: Json): { name: string } | undefined => (link.link === undefined || link.link_netnsid !== undefined ? undefined : { name: String(link.link) })

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
      id: Number(data.id), port: unless(number(data.port), 4789), local: text(data.local ?? data.local6), remote: text(data.remote ?? data.remote6 ?? data.group ?? data.group6),
      learning: unless(data.learning !== false, true),
      proxy: data.proxy === true ? true : undefined, l2miss: data.l2miss === true ? true : undefined, l3miss: data.l3miss === true ? true : undefined,
      ttl: unless(number(data.ttl), 0), tos: unless(number(data.tos ?? 0), 0), ageing: unless(number(data.ageing), 300),
      udpChecksum: unless(data.udp_csum !== false, true),
      udp6ZeroChecksumTx: unless(data.udp_zero_csum6_tx === true, false), udp6ZeroChecksumRx: unless(data.udp_zero_csum6_rx === true, false),
      gbp: data.gbp === undefined ? undefined : true,
    }),
    parent: parent(data),
  }),
  macvlan: (data, link) => ({
    parent: parent(link), mode: data.mode, sourceMacs: (data.macaddr_data as string[] | undefined)?.sort(), broadcastQueueLength: unless(number(data.bcqueuelen), 1000),
  }),
  ipvlan: (data, link) => ({ parent: parent(link), mode: data.mode, flag: unless(text(data.flags ?? 'bridge'), 'bridge') }),
  vlan: (data, link) => ({ parent: parent(link), id: data.id, protocol: unless(text(data.protocol), '802.1Q') }),
  vrf: (data) => ({ table: data.table }),
}

export function addressesOf(world: World, at: Place): AddressObject[] {
  return world.show('ip', at, 'address').flatMap((link) =>
    list(link.addr_info).map((entry) => {
      const own = String(entry.local)
      const usual = entry.family === 'inet' ? (own.startsWith('127.') ? 'host' : 'global') : own.startsWith('fe80') ? 'link' : own === '::1' ? 'host' : 'global'
      return plain({
        kind: 'address', at, link: String(link.ifname), address: `${own}/${String(entry.prefixlen)}`,
        scope: unless(text(entry.scope), usual), peer: text(entry.address), broadcast: text(entry.broadcast),
        noPrefixRoute: entry.noprefixroute === true ? true : undefined, noDad: entry.nodad === true ? true : undefined, metric: number(entry.metric),
      } as AddressObject)
    }),
  )
}

const TABLES: Record<string, number> = { local: 255, main: 254, default: 253 }
const PROTOCOLS: Record<string, number> = { unspec: 0, redirect: 1, kernel: 2, boot: 3, static: 4, ra: 9, dhcp: 16 }
const MADE = new Set(['unicast', 'local', 'blackhole', 'unreachable', 'prohibit', 'throw'])

export function routesOf(world: World, at: Place): RouteObject[] {
  const four = world.show('ip', at, '-4', 'route', 'show', 'table', 'all').map((route) => routeOf(route, at, false))
  const six = world.show('ip', at, '-6', 'route', 'show', 'table', 'all').map((route) => routeOf(route, at, true))
  return [...four, ...six].filter(({ type }) => MADE.has(type ?? 'unicast'))
}

function routeOf(route: Json, at: Place, ipv6: boolean): RouteObject {
  const destination = String(route.dst)
  const gateway = text(route.gateway ?? json(route.via).host)
  const hops = route.nexthops as Json[] | undefined
  const foreign = gateway ?? text(hops?.[0]?.gateway)
  const type = String(route.type)
  const usual = type === 'local' ? 'host' : type === 'unicast' && gateway === undefined && hops === undefined ? 'link' : 'global'
  return plain({
    kind: 'route', at,
    destination: destination === 'default' || destination.includes('/') ? destination : `${destination}/${ipv6 ? 128 : 32}`,
    family: destination === 'default' && (ipv6 || foreign?.includes(':') === true) ? (ipv6 ? 6 : 4) : undefined,
    gateway, link: type === 'unicast' || type === 'local' ? text(route.dev) : undefined,
    nextHops: hops?.map((hop) =>
      plain({ gateway: text(hop.gateway ?? json(hop.via).host), link: text(hop.dev), weight: unless(number(hop.weight), 1), onlink: has(hop.flags, 'onlink') ? true : undefined }),
    ),
    metric: unless(number(route.metric ?? 0), ipv6 ? 1024 : 0),
    table: unless(TABLES[String(route.table)] ?? Number(route.table), 254),
    type: unless(type, 'unicast'),
    scope: ipv6 ? undefined : unless(String(route.scope), usual),
    onlink: has(route.flags, 'onlink') ? true : undefined,
    source: text(route.prefsrc),
    protocol: unless(PROTOCOLS[String(route.protocol)] ?? Number(route.protocol), 3),
    mtu: number(list(route.metrics)[0]?.mtu),
  } as RouteObject)
}

export function rulesOf(world: World, at: Place): PolicyRuleObject[] {
  return ([4, 6] as const).flatMap((family) =>
    world.show('ip', at, `-${family}`, 'rule').map((rule) =>
      plain({
        kind: 'policy-rule', at, family, priority: Number(rule.priority),
        from: prefix(rule.src, rule.srclen, family), to: prefix(rule.dst, rule.dstlen, family),
        iif: text(rule.iif), oif: text(rule.oif), mark: number(rule.fwmark), markMask: number(rule.fwmask),
        table: rule.table === undefined ? undefined : unless(TABLES[String(rule.table)] ?? Number(rule.table), 254),
        action: text(rule.action), suppressPrefixLength: number(rule.suppress_prefixlen), invert: rule.not === null ? true : undefined,
      } as PolicyRuleObject),
    ),
  )
}

const prefix = (address: unknown, length: unknown, family: 4 | 6): string | undefined =>
  address === undefined || address === 'all' ? undefined : `${String(address)}/${String(length ?? (family === 4 ? 32 : 128))}`

/** Without those that the kernel keeps by itself. */
export function neighboursOf(world: World, at: Place): NeighbourObject[] {
  const known = world.show('ip', at, 'neighbour', 'show', 'nud', 'all').flatMap((entry) => {
    const state = String((entry.state as string[])[0]).toLowerCase()
    if (state === 'incomplete' || state === 'failed' || /^(33:33|01:00:5e)/.test(String(entry.lladdr))) return []
    return [plain({
      kind: 'neighbour', at, link: String(entry.dev), address: String(entry.dst), mac: text(entry.lladdr),
      state: state === 'delay' || state === 'probe' ? 'stale' : unless(state, 'permanent'), router: entry.router === null ? true : undefined,
    } as NeighbourObject)]
  })
  const proxies = world.show('ip', at, 'neighbour', 'show', 'proxy').map((entry) =>
    plain({ kind: 'neighbour', at, link: String(entry.dev), address: String(entry.dst), proxy: true, router: entry.router === null ? true : undefined } as NeighbourObject),
  )
  return [...known, ...proxies]
}

const FDB_STATES: Record<string, FdbObject['state']> = { static: 'noarp', '': 'reachable', stale: 'reachable' }

export function fdbOf(world: World, at: Place): FdbObject[] {
  return world.show('bridge', at, 'fdb').map((entry) =>
    plain({
      kind: 'fdb', at, link: String(entry.ifname), mac: String(entry.mac), destination: text(entry.dst), port: number(entry.port), vni: number(entry.vni), vlan: number(entry.vlan),
      table: entry.master === undefined || entry.master === entry.ifname ? undefined : 'master', state: FDB_STATES[String(entry.state)],
    } as FdbObject),
  )
}

export function portsOf(world: World, at: Place): BridgePortObject[] {
  return world.show('bridge', at, 'link').flatMap((port) =>
    port.master === undefined ? [] : [plain({
      kind: 'bridge-port', at, link: String(port.ifname), cost: Number(port.cost), priority: unless(number(port.priority), 32),
      hairpin: unless(port.hairpin === true, false), guard: unless(port.guard === true, false), learning: unless(port.learning === true, true),
      flooding: unless(port.flood === true, true), multicastFlooding: unless(port.mcast_flood === true, true), broadcastFlooding: unless(port.bcast_flood === true, true),
      neighbourSuppression: unless(port.neigh_suppress === true, false), isolated: unless(port.isolated === true, false), locked: unless(port.locked === true, false),
    } as BridgePortObject)],
  )
}

export function vlansOf(world: World, at: Place): BridgeVlanObject[] {
  const bridges = new Set(world.show('ip', at, 'link', 'show', 'type', 'bridge').map((link) => link.ifname))
  return world.show('bridge', at, '-compressvlans', 'vlan').flatMap((entry) =>
    list(entry.vlans).map((vlan) =>
      plain({
        kind: 'bridge-vlan', at, link: String(entry.ifname), id: Number(vlan.vlan), end: number(vlan.vlanEnd),
        pvid: has(vlan.flags, 'PVID') ? true : undefined, untagged: has(vlan.flags, 'Egress Untagged') ? true : undefined, self: bridges.has(entry.ifname) ? true : undefined,
      } as BridgeVlanObject),
    ),
  )
}

/** Only which types are where: tc(8) rounds what they are set to. */
export function qdiscsOf(world: World, at: Place): Pick<QdiscObject, 'link' | 'parent'>[] {
  return world.show('tc', at, 'qdisc').flatMap((qdisc) =>
    qdisc.handle === '0:' ? [] : [plain({ link: String(qdisc.dev), parent: qdisc.root === true ? undefined : String(qdisc.kind), type: qdisc.kind === 'clsact' ? 'ingress' : String(qdisc.kind) })],
  ) as Pick<QdiscObject, 'link' | 'parent'>[]
}

/** Objects in a fixed order. */
export const sorted = <T>(objects: readonly T[]): T[] => objects.map((object) => ({ object, key: canonical(object) })).sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ object }) => object)

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) =>
    typeof field === 'object' && field !== null && !Array.isArray(field) ? Object.fromEntries(Object.entries(field).sort(([a], [b]) => (a < b ? -1 : 1))) : field,
  )
}
