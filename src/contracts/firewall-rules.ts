import type { KeyPart, NumberGenerator, RawPayload, Scalar, ValueRange } from './firewall-types.js'

/**
 * What rules are made of. A rule is a list of statements; the packet goes on to the next one while matches match.
 * Matches on protocols that a field implies (`tcp dport` implies `meta l4proto tcp`, and in inet tables `ip saddr`
 * implies `meta nfproto ipv4`) are added where the rule has not made sure of them already, as nft(8) does.
 */
export interface FirewallRule {
  statements: Statement[]
  /** Up to 128 bytes; libcnm keeps the owner here. */
  comment?: string
}

export type PayloadField =
  | `ether ${'daddr' | 'saddr' | 'type'}`
  | `vlan ${'id' | 'dei' | 'pcp' | 'type'}`
  | `arp ${'htype' | 'ptype' | 'hlen' | 'plen' | 'operation' | 'saddr ether' | 'saddr ip' | 'daddr ether' | 'daddr ip'}`
  | `ip ${'version' | 'hdrlength' | 'dscp' | 'ecn' | 'length' | 'id' | 'frag-off' | 'ttl' | 'protocol' | 'checksum' | 'saddr' | 'daddr'}`
  | `ip6 ${'version' | 'dscp' | 'ecn' | 'flowlabel' | 'length' | 'nexthdr' | 'hoplimit' | 'saddr' | 'daddr'}`
  | `icmp ${'type' | 'code' | 'checksum'}`
  | `icmpv6 ${'type' | 'code' | 'checksum'}`
  | `igmp ${'type' | 'mrt' | 'checksum' | 'group'}`
  | `tcp ${'sport' | 'dport' | 'sequence' | 'ackseq' | 'doff' | 'reserved' | 'flags' | 'window' | 'checksum' | 'urgptr'}`
  | `udp ${'sport' | 'dport' | 'length' | 'checksum'}`
  | `udplite ${'sport' | 'dport' | 'checksum'}`
  | `sctp ${'sport' | 'dport' | 'vtag' | 'checksum'}`
  | `dccp ${'sport' | 'dport'}`
  | `esp ${'spi' | 'sequence'}`
  | `ah ${'nexthdr' | 'hdrlength' | 'reserved' | 'spi' | 'sequence'}`
  /** Ports of whatever transport protocol the packet has. */
  | `th ${'sport' | 'dport'}`

export type MetaKey =
  | 'length'
  | 'protocol'
  | 'priority'
  | 'mark'
  | 'iif'
  | 'oif'
  | 'iifname'
  | 'oifname'
  | 'iiftype'
  | 'oiftype'
  | 'skuid'
  | 'skgid'
  | 'nftrace'
  | 'rtclassid'
  | 'secmark'
  | 'nfproto'
  | 'l4proto'
  | 'ibrname'
  | 'obrname'
  | 'pkttype'
  | 'cpu'
  | 'iifgroup'
  | 'oifgroup'
  | 'cgroup'
  | 'random'
  | 'ipsec'
  | 'iifkind'
  | 'oifkind'
  | 'ibrpvid'
  | 'ibrvproto'
  | 'time'
  | 'day'
  | 'hour'
  | 'sdif'
  | 'sdifname'

/** `saddr` and `daddr` only in ip and ip6 tables; in inet tables say `ip saddr` or `ip6 saddr`. */
export type CtKey =
  | 'state'
  | 'direction'
  | 'status'
  | 'mark'
  | 'secmark'
  | 'expiration'
  | 'helper'
  | 'l3proto'
  | 'saddr'
  | 'daddr'
  | 'protocol'
  | 'proto-src'
  | 'proto-dst'
  | 'packets'
  | 'bytes'
  | 'avgpkt'
  | 'zone'
  | 'event'
  | 'ip saddr'
  | 'ip daddr'
  | 'ip6 saddr'
  | 'ip6 daddr'
  | 'id'

export type TcpOption = 'maxseg size' | 'window count' | 'timestamp tsval' | 'timestamp tsecr'

export type FibKey = 'saddr' | 'daddr' | 'mark' | 'iif' | 'oif'

/** A look-up in a map: by name, or in a map of this rule alone, given by pairs of key and data. */
export interface MapLookup {
  map: string | [KeyPart | KeyPart[], Scalar | Scalar[]][]
  key: Expression
}

/** Something that has a value for each packet. */
export type Expression =
  | { payload: PayloadField | RawPayload }
  | { meta: MetaKey }
  | { ct: CtKey; direction?: 'original' | 'reply' }
  /** `mtu` is the TCP maximum segment size that the route allows. */
  | { rt: 'classid' | 'ip nexthop' | 'ip6 nexthop' | 'mtu' | 'ipsec' }
  /** Routing decision: `type` of address, output interface; `exists`: whether there is a route (a boolean). */
  | { fib: { keys: FibKey[]; result: 'oif' | 'oifname' | 'type' | 'exists' } }
  | { tcpOption: TcpOption }
  /** Whether the TCP option of this kind (RFC 9293, number) is present: a boolean. */
  | { tcpOptionExists: number }
  | { numgen: NumberGenerator }
  | { jhash: { key: Expression; mod: number; seed?: number; offset?: number } }
  | { symhash: { mod: number; offset?: number } }
  /** `level`: of the cgroup, below the root. */
  | { socket: 'transparent' | 'mark' | 'wildcard' | 'cgroupv2'; level?: number }
  | { ipsec: 'reqid' | 'spi' | 'ip saddr' | 'ip daddr' | 'ip6 saddr' | 'ip6 daddr'; direction: 'in' | 'out'; spnum?: number }
  /** Several values as one key. */
  | { concat: Expression[] }
  | { '&': [Expression, Scalar | Scalar[]] }
  | { '|': [Expression, Scalar | Scalar[]] }
  | { '^': [Expression, Scalar | Scalar[]] }
  | { '<<': [Expression, number] }
  | { '>>': [Expression, number] }
  /** From host to network order, for look-ups of marks and ids in interval sets. */
  | { hton: Expression }
  /** As a value (of nat, mangle): what the map has for the key. */
  | MapLookup

/**
 * What a match compares with: one value; a prefix (`10.0.0.0/8`, `eth*`); a range; a list of bit names; a set of this
 * rule alone; or `@name` of a set.
 */
export type MatchRight = Scalar | ValueRange | Scalar[] | { set: (KeyPart | KeyPart[])[] }

export interface Match {
  left: Expression
  /** `in`: any of these bits is set; `!in`: none of them. Set membership is `==` and `!=`. */
  op: '==' | '!=' | '<' | '>' | '<=' | '>=' | 'in' | '!in'
  right: MatchRight
}

export type Verdict =
  | { accept: true }
  | { drop: true }
  | { continue: true }
  | { return: true }
  /** Name of a chain of the same table. */
  | { jump: string }
  | { goto: string }

export type NatFlag = 'random' | 'fully-random' | 'persistent'

/** A constant, a range or prefix of them, a look-up in a map, or (port only) another value of the packet. */
export type NatValue = Scalar | ValueRange | MapLookup

export interface NatTarget {
  /** Needed in inet tables when an address is given. */
  family?: 'ip' | 'ip6'
  /** A prefix keeps the host part of the address and replaces the rest. */
  address?: NatValue
  port?: NatValue
  /** A map whose data are address and port; excludes both. */
  to?: MapLookup
  /** A map with `dataInterval`: its data are prefixes. */
  prefix?: MapLookup
  flags?: NatFlag[]
}

export interface PortTarget {
  port?: NatValue
  flags?: NatFlag[]
}

export interface Limit {
  rate: number
  per: 'second' | 'minute' | 'hour' | 'day' | 'week'
  /** Default `packets`. */
  unit?: 'packets' | 'bytes'
  /** Default 5 packets, 0 bytes. */
  burst?: number
  /** Match what exceeds the limit instead of what keeps it. */
  over?: boolean
}

export interface Log {
  prefix?: string
  /** Default `warning`. */
  level?: 'emerg' | 'alert' | 'crit' | 'err' | 'warning' | 'notice' | 'info' | 'debug' | 'audit'
  flags?: ('tcp sequence' | 'tcp options' | 'ip options' | 'skuid' | 'ether')[]
  /** nfnetlink_log group instead of the kernel log; excludes level and flags. */
  group?: number
  snaplen?: number
  queueThreshold?: number
}

export type Reject =
  | { type: 'tcp reset' }
  | { type: 'icmp' | 'icmpv6' | 'icmpx'; /** A name of icmp_code, icmpv6_code, icmpx_code, or the number. */ code: Scalar }

/** Statements with a state of their own; also per element of a dynamic set. */
export type StatefulStatement =
  | { counter: true }
  | { limit: Limit }
  | { quota: { bytes: number; over?: boolean } }
  /** Number of connections tracked through this statement. */
  | { ctCount: { count: number; over?: boolean } }

/** Adds, updates or deletes an element of a dynamic set, from the packet. */
export interface SetUpdate {
  op: 'add' | 'update' | 'delete'
  /** Name of the set. */
  set: string
  key: Expression
  /** For a map: the data. */
  data?: Expression
  /** Milliseconds. */
  timeout?: number
  statements?: StatefulStatement[]
}

/** A kernel expression that this vocabulary has no word for, as it came from the kernel. */
export interface RawExpression {
  name: string
  /** Its attributes in hex. */
  data: string
}

export type Statement =
  | { match: Match }
  /** The verdict that the map has for the key; without one the rule goes on. */
  | { vmap: { key: Expression; map: string | [KeyPart | KeyPart[], Verdict][] } }
  | Verdict
  | StatefulStatement
  | { log: Log }
  | { reject: Reject }
  | { snat: NatTarget }
  | { dnat: NatTarget }
  | { masquerade: PortTarget }
  | { redirect: PortTarget }
  | { tproxy: { family?: 'ip' | 'ip6'; address?: Scalar | MapLookup; port?: Scalar | MapLookup } }
  | { notrack: true }
  /** Writes a value: `meta mark set`, `ct mark set`, `ip ttl set`, `tcp option maxseg size set`. */
  | { mangle: { key: Expression; value: Scalar | Scalar[] | Expression } }
  | { set: SetUpdate }
  | { raw: RawExpression[] }
