/** Values of a packet that are not in its bytes: numbers and types of meta, ct, rt, fib, socket and xfrm keys. */
import type { CtKey, FibKey, MetaKey, TcpOption } from '../../contracts/firewall-rules.js'
import { CT_EVENT, integer, string, TYPES, type DataType } from './data-types.js'

export interface Key {
  /** Of the kernel's enum. */
  number: number
  type: DataType
}

const key = (number: number, type: DataType): Key => ({ number, type })
const host32 = integer(32, 'host')
const IFNAME = TYPES.ifname

/** enum nft_meta_keys */
export const META: Readonly<Record<MetaKey, Key>> = {
  length: key(0, host32),
  protocol: key(1, TYPES.ether_type),
  priority: key(2, TYPES.classid),
  mark: key(3, TYPES.mark),
  iif: key(4, TYPES.iface_index),
  oif: key(5, TYPES.iface_index),
  iifname: key(6, IFNAME),
  oifname: key(7, IFNAME),
  iiftype: key(8, TYPES.iface_type),
  oiftype: key(9, TYPES.iface_type),
  skuid: key(10, TYPES.uid),
  skgid: key(11, TYPES.gid),
  nftrace: key(12, TYPES.boolean),
  rtclassid: key(13, TYPES.realm),
  secmark: key(14, host32),
  nfproto: key(15, TYPES.nf_proto),
  l4proto: key(16, TYPES.inet_proto),
  ibrname: key(17, IFNAME),
  obrname: key(18, IFNAME),
  pkttype: key(19, TYPES.pkt_type),
  cpu: key(20, host32),
  iifgroup: key(21, TYPES.devgroup),
  oifgroup: key(22, TYPES.devgroup),
  cgroup: key(23, host32),
  random: key(24, integer(32)),
  ipsec: key(25, TYPES.boolean),
  iifkind: key(26, IFNAME),
  oifkind: key(27, IFNAME),
  ibrpvid: key(28, integer(16, 'host')),
  ibrvproto: key(29, TYPES.ether_type),
  time: key(30, TYPES.time),
  day: key(31, integer(8, 'host')),
  hour: key(32, host32),
  sdif: key(33, TYPES.iface_index),
  sdifname: key(34, IFNAME),
}

const host64 = integer(64, 'host')

/** enum nft_ct_keys; `saddr` and `daddr` have the type of the table's family. */
export const CT: Readonly<Record<CtKey, Key>> = {
  state: key(0, TYPES.ct_state),
  direction: key(1, TYPES.ct_dir),
  status: key(2, TYPES.ct_status),
  mark: key(3, TYPES.mark),
  secmark: key(4, host32),
  expiration: key(5, host32),
  helper: key(6, string(16)),
  l3proto: key(7, TYPES.nf_proto),
  saddr: key(8, TYPES.ipv4_addr),
  daddr: key(9, TYPES.ipv4_addr),
  protocol: key(10, TYPES.inet_proto),
  'proto-src': key(11, TYPES.inet_service),
  'proto-dst': key(12, TYPES.inet_service),
  packets: key(14, host64),
  bytes: key(15, host64),
  avgpkt: key(16, host64),
  zone: key(17, integer(16, 'host')),
  event: key(18, CT_EVENT),
  'ip saddr': key(19, TYPES.ipv4_addr),
  'ip daddr': key(20, TYPES.ipv4_addr),
  'ip6 saddr': key(21, TYPES.ipv6_addr),
  'ip6 daddr': key(22, TYPES.ipv6_addr),
  id: key(23, integer(32)),
}

/** enum nft_rt_keys */
export const RT: Readonly<Record<'classid' | 'ip nexthop' | 'ip6 nexthop' | 'mtu' | 'ipsec', Key>> = {
  classid: key(0, TYPES.realm),
  'ip nexthop': key(1, TYPES.ipv4_addr),
  'ip6 nexthop': key(2, TYPES.ipv6_addr),
  mtu: key(3, integer(16, 'host')),
  ipsec: key(4, TYPES.boolean),
}

/** enum nft_socket_keys */
export const SOCKET: Readonly<Record<'transparent' | 'mark' | 'wildcard' | 'cgroupv2', Key>> = {
  transparent: key(0, TYPES.boolean),
  mark: key(1, TYPES.mark),
  wildcard: key(2, TYPES.boolean),
  cgroupv2: key(3, TYPES.cgroupsv2),
}

/** enum nft_xfrm_keys */
export const XFRM: Readonly<Record<'reqid' | 'spi' | 'ip saddr' | 'ip daddr' | 'ip6 saddr' | 'ip6 daddr', Key>> = {
  'ip daddr': key(1, TYPES.ipv4_addr),
  'ip6 daddr': key(2, TYPES.ipv6_addr),
  'ip saddr': key(3, TYPES.ipv4_addr),
  'ip6 saddr': key(4, TYPES.ipv6_addr),
  reqid: key(5, host32),
  spi: key(6, integer(32)),
}

/** enum nft_fib_flags */
export const FIB_KEYS: Readonly<Record<FibKey, number>> = { saddr: 1, daddr: 2, mark: 4, iif: 8, oif: 16 }
export const FIB_PRESENT = 32
/** enum nft_fib_result; `exists` is the result `oif` with the flag that asks for presence only. */
export const FIB_RESULTS: Readonly<Record<'oif' | 'oifname' | 'type' | 'exists', Key>> = {
  oif: key(1, TYPES.iface_index),
  oifname: key(2, IFNAME),
  type: key(3, TYPES.fib_addrtype),
  exists: key(1, { ...TYPES.boolean, bits: 32 }),
}

/** Kind of the option and offset of the value in it, bytes (RFC 9293, 7323). */
export const TCP_OPTIONS: Readonly<Record<TcpOption, { kind: number; offset: number; type: DataType }>> = {
  'maxseg size': { kind: 2, offset: 2, type: integer(16) },
  'window count': { kind: 3, offset: 2, type: integer(8) },
  'timestamp tsval': { kind: 8, offset: 2, type: integer(32) },
  'timestamp tsecr': { kind: 8, offset: 6, type: integer(32) },
}

export const own = <K extends string, V>(table: Readonly<Record<K, V>>, name: unknown): V | undefined =>
  typeof name === 'string' && Object.hasOwn(table, name) ? table[name as K] : undefined

/** Name of the key with this number. */
export function keyName<K extends string>(table: Readonly<Record<K, Key>>, number: number): K | undefined {
  return (Object.keys(table) as K[]).find((name) => table[name].number === number)
}
