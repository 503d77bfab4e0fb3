import type { DataTypeName } from '../../contracts/firewall-types.js'
import * as symbols from './symbols.js'

/** How bits of a register, a set key or a constant are to be read. */
export interface DataType {
  name: string
  /** nft's own number, kept in NFTA_SET_KEY_TYPE so that nft(8) shows the type. The kernel ignores it. */
  id: number
  bits: number
  /** Byte order in registers. */
  order: 'big' | 'host'
  form: 'integer' | 'ipv4' | 'ipv6' | 'ether' | 'string' | 'boolean'
  symbols?: symbols.SymbolTable
  /** Values are combinations of the symbols' bits. */
  flags?: boolean
}

export const byteLength = (type: DataType): number => Math.ceil(type.bits / 8)

/** Size of a part of a concatenation: registers have 4 bytes. */
export const paddedLength = (type: DataType): number => (byteLength(type) + 3) & ~3

const INTEGER_ID = 4
const STRING_ID = 5

/** A plain number. nft cannot name it in a set without `typeof`. */
export const integer = (bits: number, order: DataType['order'] = 'big'): DataType => ({
  name: 'integer',
  id: INTEGER_ID,
  bits,
  order,
  form: 'integer',
})

export const string = (bytes: number): DataType => ({ name: 'string', id: STRING_ID, bits: bytes * 8, order: 'host', form: 'string' })

const number = (
  id: number,
  bits: number,
  order: DataType['order'],
  table?: symbols.SymbolTable,
  flags = false,
): Omit<DataType, 'name'> => ({
  id,
  bits,
  order,
  form: 'integer',
  ...(table && { symbols: table }),
  ...(flags && { flags }),
})

/** Numbers as in nft's enum datatypes, which is stored in rulesets and therefore fixed. */
const DEFINITIONS: Record<DataTypeName, Omit<DataType, 'name'>> = {
  nf_proto: number(2, 8, 'host', symbols.NF_PROTO),
  ipv4_addr: { id: 7, bits: 32, order: 'big', form: 'ipv4' },
  ipv6_addr: { id: 8, bits: 128, order: 'big', form: 'ipv6' },
  ether_addr: { id: 9, bits: 48, order: 'big', form: 'ether' },
  ether_type: number(10, 16, 'big', symbols.ETHER_TYPE),
  arp_op: number(11, 16, 'big', symbols.ARP_OP),
  inet_proto: number(12, 8, 'big', symbols.INET_PROTO),
  inet_service: number(13, 16, 'big'),
  icmp_type: number(14, 8, 'big', symbols.ICMP_TYPE),
  tcp_flag: number(15, 8, 'host', symbols.TCP_FLAG, true),
  time: number(18, 64, 'host'),
  mark: number(19, 32, 'host'),
  iface_index: number(20, 32, 'host'),
  iface_type: number(21, 16, 'host', symbols.IFACE_TYPE),
  realm: number(22, 32, 'host'),
  classid: number(23, 32, 'host'),
  uid: number(24, 32, 'host'),
  gid: number(25, 32, 'host'),
  ct_state: number(26, 32, 'host', symbols.CT_STATE, true),
  ct_dir: number(27, 8, 'host', symbols.CT_DIRECTION),
  ct_status: number(28, 32, 'host', symbols.CT_STATUS, true),
  icmpv6_type: number(29, 8, 'big', symbols.ICMPV6_TYPE),
  pkt_type: number(31, 8, 'host', symbols.PKT_TYPE),
  icmp_code: number(32, 8, 'big', symbols.ICMP_CODE),
  icmpv6_code: number(33, 8, 'big', symbols.ICMPV6_CODE),
  devgroup: number(35, 32, 'host'),
  dscp: number(36, 6, 'big', symbols.DSCP),
  fib_addrtype: number(38, 32, 'host', symbols.FIB_ADDRTYPE),
  boolean: { id: 39, bits: 1, order: 'host', form: 'boolean' },
  ifname: { id: 41, bits: 128, order: 'host', form: 'string' },
  igmp_type: number(42, 8, 'big', symbols.IGMP_TYPE),
  cgroupsv2: number(46, 64, 'host'),
}

export const TYPES: Readonly<Record<DataTypeName, DataType>> = Object.fromEntries(
  Object.entries(DEFINITIONS).map(([name, definition]) => [name, { name, ...definition }]),
) as Record<DataTypeName, DataType>

/** Not for sets: values that only a few statements use. */
export const CT_EVENT: DataType = { name: 'ct_event', ...number(40, 32, 'host', symbols.CT_EVENT, true) }
export const ICMPX_CODE: DataType = { name: 'icmpx_code', ...number(34, 8, 'big', symbols.ICMPX_CODE) }

/** The named type with this number. */
export function typeById(id: number): DataType | undefined {
  return Object.values(TYPES).find((type) => type.id === id)
}
