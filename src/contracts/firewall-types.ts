/**
 * Data types and values of firewall rules, set keys and map data. The names are those of nft(8).
 *
 * | type | value |
 * | --- | --- |
 * | ipv4_addr, ipv6_addr | `10.0.0.1`, `fd00::1`; where ranges are allowed also `10.0.0.0/8` |
 * | ether_addr | `02:00:00:00:00:01` |
 * | inet_proto, ether_type, nf_proto | `tcp`, `arp`, `ipv4`, or the number |
 * | inet_service, mark, realm, classid, uid, gid, devgroup, cgroupsv2, iface_index, time | a number (64-bit ones beyond 2^53 as a decimal string) |
 * | ifname | `eth0`; where ranges are allowed also `eth*` |
 * | ct_state, ct_status, tcp_flag | one name, a list of names (bits), or the number |
 * | ct_dir, icmp_type, icmpv6_type, icmp_code, icmpv6_code, pkt_type, fib_addrtype, iface_type, arp_op, igmp_type, dscp | a name, or the number |
 * | boolean | `true`, `false` |
 */
export type DataTypeName =
  | 'nf_proto'
  | 'ipv4_addr'
  | 'ipv6_addr'
  | 'ether_addr'
  | 'ether_type'
  | 'arp_op'
  | 'inet_proto'
  | 'inet_service'
  | 'icmp_type'
  | 'icmp_code'
  | 'icmpv6_type'
  | 'icmpv6_code'
  | 'igmp_type'
  | 'tcp_flag'
  | 'time'
  | 'mark'
  | 'iface_index'
  | 'iface_type'
  | 'realm'
  | 'classid'
  | 'uid'
  | 'gid'
  | 'ct_state'
  | 'ct_dir'
  | 'ct_status'
  | 'pkt_type'
  | 'devgroup'
  | 'dscp'
  | 'fib_addrtype'
  | 'boolean'
  | 'ifname'
  | 'cgroupsv2'

/** Bits of a packet at an offset from the start of its link, network or transport header, or of what follows that. */
export interface RawPayload {
  base: 'll' | 'nh' | 'th' | 'ih'
  /** Bits. */
  offset: number
  /** Bits, up to 128. */
  length: number
}

export interface NumberGenerator {
  mode: 'inc' | 'random'
  /** Results are `offset` ... `offset + mod - 1`. */
  mod: number
  offset?: number
}

/**
 * A type of a set's key or data: a name, or what nft calls `typeof` for plain integers: a raw payload field (network
 * order), the result of a number generator or hash (32 bits, host order), or an integer of so many bits in network order.
 */
export type SetType = DataTypeName | { payload: RawPayload } | { numgen: NumberGenerator } | { integer: number }

/** A constant; its form depends on the type, see {@link DataTypeName}. */
export type Scalar = string | number | boolean

export interface ValueRange {
  /** First and last, both included. */
  range: [Scalar, Scalar]
}

/** One part of the key of an element. Prefixes and ranges only in sets with the flag `interval`. */
export type KeyPart = Scalar | ValueRange
