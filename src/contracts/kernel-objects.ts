/**
 * The closed vocabulary of kernel objects. A driver's description is a list of these; a kernel transaction
 * creates, changes and deletes these; a dump of the kernel returns these. All of it is plain JSON data.
 *
 * `at` says in which network namespace an object lives. In a description it is symbolic: `host`, `sandbox`, or
 * `private:<name>` for a namespace that belongs to the network. In a kernel transaction it is a namespace
 * reference: `host` (where the process started), an absolute path (`/run/netns/blue`) or `pid:<n>`.
 */
import type { FirewallObject } from './firewall.js'

export type Place = string

/** A network namespace, held by a bind mount at the path that `at` names. */
export interface NamespaceObject {
  kind: 'namespace'
  at: Place
}

interface LinkCommon {
  kind: 'link'
  at: Place
  name: string
  /** Interface index to ask for; without it the kernel thread takes the next free one of the namespace. */
  index?: number
  mac?: string
  mtu?: number
  /** Administrative state. Default true. */
  up?: boolean
  /** Name of the bridge or VRF, in the same namespace, that this link is a port of. */
  master?: string
  /** IFLA_GROUP. */
  group?: number
  /** IFLA_IFALIAS, up to 255 bytes; libcnm keeps the owner here. */
  alias?: string
  txQueueLength?: number
  promiscuous?: boolean
  allMulticast?: boolean
  arp?: boolean
  /** `none` keeps the kernel from adding a link-local IPv6 address (IFLA_INET6_ADDR_GEN_MODE). */
  ipv6AddressGeneration?: 'eui64' | 'none' | 'stable-privacy' | 'random'
  /** gso_max_size and the like: attributes the codec does not name, as raw bytes in hex, by attribute number. */
  unknown?: Record<number, string>
}

/** The lower device of a macvlan, ipvlan, vlan or vxlan: by name, in the namespace `at` (default: that of the link). */
export interface ParentLink {
  at?: Place
  name: string
}

export interface BridgeOptions {
  forwardDelay?: number
  helloTime?: number
  maxAge?: number
  ageingTime?: number
  stp?: boolean
  priority?: number
  vlanFiltering?: boolean
  vlanDefaultPvid?: number
  multicastSnooping?: boolean
  groupForwardMask?: number
}

export interface VethPeer {
  at: Place
  name: string
  index?: number
  mac?: string
  mtu?: number
  /** Default true; costs a second message, since a veth peer cannot be created up. */
  up?: boolean
  group?: number
  alias?: string
  ipv6AddressGeneration?: LinkCommon['ipv6AddressGeneration']
}

export interface VxlanOptions {
  id: number
  /** UDP port, default 4789. */
  port?: number
  /** Outer source address. */
  local?: string
  /** Default destination (unicast or multicast group). */
  remote?: string
  learning?: boolean
  proxy?: boolean
  l2miss?: boolean
  l3miss?: boolean
  ttl?: number
  tos?: number
  ageing?: number
  udpChecksum?: boolean
  udp6ZeroChecksumTx?: boolean
  udp6ZeroChecksumRx?: boolean
  gbp?: boolean
}

export type LinkObject = LinkCommon &
  (
    | { type: 'bridge'; bridge?: BridgeOptions }
    | { type: 'veth'; peer: VethPeer }
    | { type: 'vxlan'; vxlan: VxlanOptions; parent?: ParentLink; /** Namespace of the UDP socket. Default `at`. */ underlay?: Place }
    | {
        type: 'macvlan'
        parent: ParentLink
        mode?: 'private' | 'vepa' | 'bridge' | 'passthru' | 'source'
        sourceMacs?: string[]
        broadcastQueueLength?: number
        broadcastCutoff?: number
      }
    | { type: 'ipvlan'; parent: ParentLink; mode?: 'l2' | 'l3' | 'l3s'; flag?: 'bridge' | 'private' | 'vepa' }
    | {
        type: 'vlan'
        parent: ParentLink
        id: number
        protocol?: '802.1Q' | '802.1ad'
        /** It can be up while its parent is down. */
        looseBinding?: boolean
      }
    | { type: 'dummy' }
    | { type: 'ifb' }
    | { type: 'vrf'; table: number }
    | { type: 'wireguard'; wireguard?: WireguardOptions }
    /** A link that somebody else made (an existing bridge, a physical interface): attributes are set, it is never created or deleted. */
    | { type: 'existing' }
  )

export interface WireguardOptions {
  /** 32 bytes in base64. Never read back into records or logs. */
  privateKey?: string
  listenPort?: number
  firewallMark?: number
  peers?: WireguardPeer[]
}

export interface WireguardPeer {
  publicKey: string
  presharedKey?: string
  /** `192.0.2.1:51820` or `[2001:db8::1]:51820`. */
  endpoint?: string
  /** Seconds; 0 is off. */
  keepalive?: number
  allowedAddresses: string[]
}

/** `ip addr`. Identity: place, link, address with prefix. */
export interface AddressObject {
  kind: 'address'
  at: Place
  link: string
  /** With prefix: `10.0.0.2/24`, `fd00::2/64`. */
  address: string
  scope?: 'global' | 'link' | 'host'
  /** Point-to-point peer. */
  peer?: string
  broadcast?: string
  /** No prefix route is added (IFA_F_NOPREFIXROUTE). */
  noPrefixRoute?: boolean
  /** IPv6: skip duplicate address detection (IFA_F_NODAD). */
  noDad?: boolean
  metric?: number
}

export interface NextHop {
  gateway?: string
  link?: string
  weight?: number
  onlink?: boolean
}

/** `ip route`. Identity: place, table, destination, metric, type of service. */
export interface RouteObject {
  kind: 'route'
  at: Place
  /** With prefix; `default` stands for `0.0.0.0/0` or, with `family: 6`, `::/0`. */
  destination: string
  family?: 4 | 6
  gateway?: string
  link?: string
  nextHops?: NextHop[]
  metric?: number
  /** Routing table, default 254 (main). */
  table?: number
  type?: 'unicast' | 'local' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw'
  scope?: 'global' | 'link' | 'host'
  onlink?: boolean
  /** Preferred source address. */
  source?: string
  /** RTPROT_*; default 3 (boot) like ip(8), libcnm's own routes use 4 (static). */
  protocol?: number
  mtu?: number
}

/** `ip rule`. Identity: all fields. */
export interface PolicyRuleObject {
  kind: 'policy-rule'
  at: Place
  family: 4 | 6
  priority: number
  from?: string
  to?: string
  iif?: string
  oif?: string
  mark?: number
  markMask?: number
  table?: number
  action?: 'lookup' | 'blackhole' | 'unreachable' | 'prohibit'
  suppressPrefixLength?: number
  invert?: boolean
}

/** `ip neigh`. Identity: place, link, address. */
export interface NeighbourObject {
  kind: 'neighbour'
  at: Place
  link: string
  address: string
  mac?: string
  state?: 'permanent' | 'noarp' | 'reachable' | 'stale'
  proxy?: boolean
  router?: boolean
}

/** `bridge fdb`. Identity: place, link, mac, vlan, and (for the all-zero MAC) destination. */
export interface FdbObject {
  kind: 'fdb'
  at: Place
  link: string
  mac: string
  /** Remote VTEP of a vxlan entry. */
  destination?: string
  port?: number
  vni?: number
  vlan?: number
  /** `self` (the device's own table, vxlan) or `master` (the bridge's). Default `self`. */
  table?: 'self' | 'master'
  state?: 'permanent' | 'noarp' | 'reachable'
}

/** Attributes of a bridge port (IFLA_BRPORT_*). Identity: place, link. */
export interface BridgePortObject {
  kind: 'bridge-port'
  at: Place
  link: string
  hairpin?: boolean
  isolated?: boolean
  learning?: boolean
  flooding?: boolean
  multicastFlooding?: boolean
  broadcastFlooding?: boolean
  neighbourSuppression?: boolean
  guard?: boolean
  locked?: boolean
  cost?: number
  priority?: number
}

/** `bridge vlan`. Identity: place, link, id. */
export interface BridgeVlanObject {
  kind: 'bridge-vlan'
  at: Place
  link: string
  id: number
  /** Last id of a range; without it only `id`. */
  end?: number
  pvid?: boolean
  untagged?: boolean
  /** On the bridge device itself instead of a port. */
  self?: boolean
  /** When it comes, the port leaves all other VLANs: a new port is in the bridge's default one. */
  alone?: boolean
}

/** Identity: place, path. Written only if the value differs. */
export interface SysctlObject {
  kind: 'sysctl'
  at: Place
  /** Slashes between parts, so that interface names with dots work: `net/ipv4/conf/eth0.100/rp_filter`. */
  path: string
  value: string
  /** Value to write when the description goes. Without it the parameter is left as it is. */
  after?: string
}

/** `ip xfrm state`. Identity: place, destination, SPI, protocol. */
export interface XfrmStateObject {
  kind: 'xfrm-state'
  at: Place
  source: string
  destination: string
  spi: number
  mode?: 'transport' | 'tunnel'
  requestId?: number
  /** AEAD: `rfc4106(gcm(aes))`, key and salt in hex, tag length in bits. */
  aead: { name: string; key: string; icvBits: number }
  replayWindow?: number
  mark?: { value: number; mask: number }
  /** Extended sequence numbers. */
  esn?: boolean
}

/** `ip xfrm policy`. Identity: place, direction, selector, mark. */
export interface XfrmPolicyObject {
  kind: 'xfrm-policy'
  at: Place
  direction: 'in' | 'out' | 'fwd'
  source: string
  destination: string
  protocol?: number
  sourcePort?: number
  destinationPort?: number
  priority?: number
  action?: 'allow' | 'block'
  mark?: { value: number; mask: number }
  templates: {
    source: string
    destination: string
    spi?: number
    mode?: 'transport' | 'tunnel'
    requestId?: number
    level?: 'required' | 'use'
  }[]
}

/** `tc qdisc`. Identity: place, link, parent. */
export interface QdiscObject {
  kind: 'qdisc'
  at: Place
  link: string
  parent?: 'root' | 'ingress' | 'clsact'
  qdisc:
    | { type: 'tbf'; /** bytes per second */ rate: number; /** bytes */ burst: number; /** microseconds */ latency?: number }
    | { type: 'fq_codel' }
    | { type: 'noqueue' }
    | { type: 'ingress' }
    | { type: 'netem'; /** microseconds */ delay?: number; /** 0..1 */ loss?: number; limit?: number }
}

/** Device features (ethtool -K). Identity: place, link. */
export interface FeaturesObject {
  kind: 'features'
  at: Place
  link: string
  /** Kernel feature names: `{ 'tx-udp_tnl-csum-segmentation': false }`. */
  features: Record<string, boolean>
}

/** A mount in the mount namespace of the process. Identity: target. */
export interface MountObject {
  kind: 'mount'
  target: string
  source: string
  type?: string
  /** `bind`, `rbind`, `ro`, `nosuid`, `nodev`, `noexec`, `rprivate`, `rslave`, `rshared`. */
  flags?: string[]
  data?: string
}

export type KernelObject =
  | NamespaceObject
  | LinkObject
  | AddressObject
  | RouteObject
  | PolicyRuleObject
  | NeighbourObject
  | FdbObject
  | BridgePortObject
  | BridgeVlanObject
  | SysctlObject
  | XfrmStateObject
  | XfrmPolicyObject
  | QdiscObject
  | FeaturesObject
  | MountObject
  | FirewallObject

export type KernelObjectKind = KernelObject['kind']
export type ObjectOf<K extends KernelObjectKind> = Extract<KernelObject, { kind: K }>
