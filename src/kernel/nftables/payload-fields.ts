import type { PayloadField } from '../../contracts/firewall-rules.js'
import type { RawPayload } from '../../contracts/firewall-types.js'
import { integer, TYPES, type DataType } from './data-types.js'
import type { Protocol } from './protocols.js'

/** Bits of a header: where they are, and what they mean. */
export interface Field {
  protocol: Protocol
  /** Bits from the start of the header `base`. */
  offset: number
  base: Base
  type: DataType
}

/** linux/netfilter/nf_tables.h enum nft_payload_bases */
export const BASES = { ll: 0, nh: 1, th: 2, ih: 3 } as const
export type Base = RawPayload['base']

type Row = readonly [name: string, offset: number, type: DataType]

const number = (name: string, offset: number, bits: number): Row => [name, offset, integer(bits)]
const PORTS: readonly Row[] = [
  ['sport', 0, TYPES.inet_service],
  ['dport', 16, TYPES.inet_service],
]

/** Offset of what follows the Ethernet header. */
const VLAN = 112

/** Header layouts: IEEE 802.3, 802.1Q; RFC 826, 791, 8200, 792, 4443, 3376, 9293, 768, 3828, 9260, 4340, 4303, 4302. */
const HEADERS: readonly (readonly [Protocol, Base, readonly Row[]])[] = [
  [
    'ether',
    'll',
    [
      ['daddr', 0, TYPES.ether_addr],
      ['saddr', 48, TYPES.ether_addr],
      ['type', 96, TYPES.ether_type],
    ],
  ],
  ['vlan', 'll', [number('pcp', VLAN, 3), number('dei', VLAN + 3, 1), number('id', VLAN + 4, 12), ['type', VLAN + 16, TYPES.ether_type]]],
  [
    'arp',
    'nh',
    [
      number('htype', 0, 16),
      ['ptype', 16, TYPES.ether_type],
      number('hlen', 32, 8),
      number('plen', 40, 8),
      ['operation', 48, TYPES.arp_op],
      ['saddr ether', 64, TYPES.ether_addr],
      ['saddr ip', 112, TYPES.ipv4_addr],
      ['daddr ether', 144, TYPES.ether_addr],
      ['daddr ip', 192, TYPES.ipv4_addr],
    ],
  ],
  [
    'ip',
    'nh',
    [
      number('version', 0, 4),
      number('hdrlength', 4, 4),
      ['dscp', 8, TYPES.dscp],
      number('ecn', 14, 2),
      number('length', 16, 16),
      number('id', 32, 16),
      number('frag-off', 48, 16),
      number('ttl', 64, 8),
      ['protocol', 72, TYPES.inet_proto],
      number('checksum', 80, 16),
      ['saddr', 96, TYPES.ipv4_addr],
      ['daddr', 128, TYPES.ipv4_addr],
    ],
  ],
  [
    'ip6',
    'nh',
    [
      number('version', 0, 4),
      ['dscp', 4, TYPES.dscp],
      number('ecn', 10, 2),
      number('flowlabel', 12, 20),
      number('length', 32, 16),
      ['nexthdr', 48, TYPES.inet_proto],
      number('hoplimit', 56, 8),
      ['saddr', 64, TYPES.ipv6_addr],
      ['daddr', 192, TYPES.ipv6_addr],
    ],
  ],
  ['icmp', 'th', [['type', 0, TYPES.icmp_type], ['code', 8, TYPES.icmp_code], number('checksum', 16, 16)]],
  ['icmpv6', 'th', [['type', 0, TYPES.icmpv6_type], ['code', 8, TYPES.icmpv6_code], number('checksum', 16, 16)]],
  ['igmp', 'th', [['type', 0, TYPES.igmp_type], number('mrt', 8, 8), number('checksum', 16, 16), ['group', 32, TYPES.ipv4_addr]]],
  [
    'tcp',
    'th',
    [
      ...PORTS,
      number('sequence', 32, 32),
      number('ackseq', 64, 32),
      number('doff', 96, 4),
      number('reserved', 100, 4),
      ['flags', 104, TYPES.tcp_flag],
      number('window', 112, 16),
      number('checksum', 128, 16),
      number('urgptr', 144, 16),
    ],
  ],
  ['udp', 'th', [...PORTS, number('length', 32, 16), number('checksum', 48, 16)]],
  ['udplite', 'th', [...PORTS, number('checksum', 48, 16)]],
  ['sctp', 'th', [...PORTS, number('vtag', 32, 32), number('checksum', 64, 32)]],
  ['dccp', 'th', PORTS],
  ['esp', 'th', [number('spi', 0, 32), number('sequence', 32, 32)]],
  [
    'ah',
    'th',
    [
      ['nexthdr', 0, TYPES.inet_proto],
      number('hdrlength', 8, 8),
      number('reserved', 16, 16),
      number('spi', 32, 32),
      number('sequence', 64, 32),
    ],
  ],
  ['th', 'th', PORTS],
]

const FIELDS: ReadonlyMap<string, Field> = new Map(
  HEADERS.flatMap(([protocol, base, rows]) =>
    rows.map(([name, offset, type]) => [`${protocol} ${name}`, { protocol, base, offset, type }] as const),
  ),
)

export const payloadField = (name: string): Field | undefined => FIELDS.get(name)

/** The field of one of these protocols that is exactly these bits. */
export function fieldAt(protocols: readonly Protocol[], base: Base, offset: number, bits: number): PayloadField | undefined {
  for (const [name, field] of FIELDS) {
    if (field.base === base && field.offset === offset && field.type.bits === bits && protocols.includes(field.protocol))
      return name as PayloadField
  }
  return undefined
}

/** The address field of one of these protocols that starts here and is longer: nft loads only the part that a prefix covers. */
export function addressAt(
  protocols: readonly Protocol[],
  base: Base,
  offset: number,
  bits: number,
): { name: PayloadField; field: Field } | undefined {
  for (const [name, field] of FIELDS) {
    const isAddress = field.type.form === 'ipv4' || field.type.form === 'ipv6'
    if (isAddress && field.base === base && field.offset === offset && bits < field.type.bits && protocols.includes(field.protocol)) {
      return { name: name as PayloadField, field }
    }
  }
  return undefined
}
