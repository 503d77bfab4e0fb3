import { CnmError } from '../../contracts/errors.js'
import { AF_INET, AF_INET6, ipBytes, ipText } from '../netlink/ip.js'
import type { MessageWriter } from '../netlink/writer.js'
import * as cta from './attributes.js'
import type { Flow, FlowTuple } from './flow.js'
import { protocolNumber, type Protocol } from './protocols.js'

/** Parts of a tuple that must be equal; what is absent is not compared. */
export interface TupleFilter {
  source?: string
  destination?: string
  protocol?: Protocol
  /** Ports need a protocol. */
  sourcePort?: number
  destinationPort?: number
}

/** Every condition that is given must hold. */
export interface FlowFilter {
  family?: 4 | 6
  /** `(flow.mark & mask) === value`; the mask is all bits by default. */
  mark?: { value: number; mask?: number }
  zone?: number
  original?: TupleFilter
  reply?: TupleFilter
}

interface CheckedTuple extends Omit<FlowTuple, 'source' | 'destination' | 'protocol'> {
  source?: string
  destination?: string
  protocol?: number
}

/** A filter with its input checked, ready for the kernel and for a second look at what the kernel found. */
export interface CheckedFilter {
  family?: 4 | 6
  mark?: { value: number; mask: number }
  zone?: number
  original: CheckedTuple
  reply: CheckedTuple
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the field */
export function checkFilter(filter: FlowFilter): CheckedFilter {
  const original = checkTuple(filter.original ?? {}, 'original')
  const reply = checkTuple(filter.reply ?? {}, 'reply')
  const families = new Set([
    filter.family,
    ...[original, reply].flatMap(({ source, destination }) => [familyOf(source), familyOf(destination)]),
  ])
  families.delete(undefined)
  if (families.size > 1) throw new CnmError('ERR_CNM_INVALID_ARGUMENT', 'family: the addresses differ in family', { field: 'family' })
  const checked: CheckedFilter = { original, reply }
  const [family] = families
  if (family !== undefined) checked.family = family
  if (filter.mark !== undefined) checked.mark = { value: filter.mark.value >>> 0, mask: (filter.mark.mask ?? 0xffff_ffff) >>> 0 }
  if (filter.zone !== undefined) checked.zone = filter.zone
  return checked
}

function checkTuple({ source, destination, protocol, sourcePort, destinationPort }: TupleFilter, field: string): CheckedTuple {
  if (protocol === undefined && (sourcePort !== undefined || destinationPort !== undefined)) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}.protocol: a port is compared only within a protocol`, {
      field: `${field}.protocol`,
    })
  }
  const tuple: CheckedTuple = {}
  if (source !== undefined) tuple.source = ipText(ipBytes(source, `${field}.source`))
  if (destination !== undefined) tuple.destination = ipText(ipBytes(destination, `${field}.destination`))
  if (protocol !== undefined) tuple.protocol = protocolNumber(protocol)
  if (sourcePort !== undefined) tuple.sourcePort = checkPort(sourcePort, `${field}.sourcePort`)
  if (destinationPort !== undefined) tuple.destinationPort = checkPort(destinationPort, `${field}.destinationPort`)
  return tuple
}

function checkPort(port: number, field: string): number {
  if (Number.isInteger(port) && port >= 0 && port <= 65535) return port
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${port} is not a port`, { field })
}

const familyOf = (address: string | undefined): 4 | 6 | undefined => (address === undefined ? undefined : address.includes(':') ? 6 : 4)

/**
 * The conditions that the kernel itself applies to a dump (CTA_FILTER since Linux 5.8); older ones pass everything.
 * IPv6 addresses are left out: the kernel (seen up to 6.18) compares them the wrong way round, and returns all flows
 * but those that were asked for.
 */
export function writeFilter(writer: MessageWriter, checked: CheckedFilter): void {
  const filter = checked.family === 6 ? withoutAddresses(checked) : checked
  // struct nfgenmsg: family, version, resource id
  writer
    .u8(filter.family === undefined ? 0 : filter.family === 6 ? AF_INET6 : AF_INET)
    .u8(0)
    .u16be(0)
  if (filter.mark !== undefined) writer.attrU32be(cta.MARK, filter.mark.value).attrU32be(cta.MARK_MASK, filter.mark.mask)
  const original = filterFlags(filter.original)
  const reply = filterFlags(filter.reply)
  // The kernel reads addresses of a filter only with a family.
  if ((original | reply) === 0 || filter.family === undefined) return
  if (original !== 0) writeTuple(writer, cta.TUPLE_ORIG, filter.original)
  if (reply !== 0) writeTuple(writer, cta.TUPLE_REPLY, filter.reply)
  writer.nest(cta.FILTER, () => {
    if (original !== 0) writer.attrU32(cta.FILTER_ORIG_FLAGS, original)
    if (reply !== 0) writer.attrU32(cta.FILTER_REPLY_FLAGS, reply)
  })
}

function withoutAddresses(filter: CheckedFilter): CheckedFilter {
  const rest = ({ source: _source, destination: _destination, ...others }: CheckedTuple): CheckedTuple => others
  return { ...filter, original: rest(filter.original), reply: rest(filter.reply) }
}

function filterFlags({ source, destination, protocol, sourcePort, destinationPort }: CheckedTuple): number {
  return (
    (source === undefined ? 0 : cta.FILTER_IP_SRC) |
    (destination === undefined ? 0 : cta.FILTER_IP_DST) |
    (protocol === undefined ? 0 : cta.FILTER_PROTO_NUM) |
    (sourcePort === undefined ? 0 : cta.FILTER_PROTO_SRC_PORT) |
    (destinationPort === undefined ? 0 : cta.FILTER_PROTO_DST_PORT)
  )
}

/** CTA_TUPLE_*, with the parts that are there. */
export function writeTuple(writer: MessageWriter, type: number, tuple: CheckedTuple): void {
  const { source, destination, protocol, sourcePort, destinationPort, icmpId, icmpType, icmpCode } = tuple
  writer.nest(type, () => {
    writer.nest(cta.TUPLE_IP, () => {
      if (source !== undefined) writeIp(writer, source, cta.IP_V4_SRC, cta.IP_V6_SRC)
      if (destination !== undefined) writeIp(writer, destination, cta.IP_V4_DST, cta.IP_V6_DST)
    })
    if (protocol === undefined) return
    writer.nest(cta.TUPLE_PROTO, () => {
      writer.attrU8(cta.PROTO_NUM, protocol)
      if (sourcePort !== undefined) writer.attrU16be(cta.PROTO_SRC_PORT, sourcePort)
      if (destinationPort !== undefined) writer.attrU16be(cta.PROTO_DST_PORT, destinationPort)
      if (icmpId === undefined) return
      const version6 = (source ?? destination ?? '').includes(':')
      writer.attrU16be(version6 ? cta.PROTO_ICMPV6_ID : cta.PROTO_ICMP_ID, icmpId)
      writer.attrU8(version6 ? cta.PROTO_ICMPV6_TYPE : cta.PROTO_ICMP_TYPE, icmpType ?? 0)
      writer.attrU8(version6 ? cta.PROTO_ICMPV6_CODE : cta.PROTO_ICMP_CODE, icmpCode ?? 0)
    })
  })
}

function writeIp(writer: MessageWriter, address: string, version4: number, version6: number): void {
  const bytes = ipBytes(address)
  writer.attrBytes(bytes.length === 4 ? version4 : version6, bytes)
}

/** The whole filter, applied to what the kernel returned: it may not have known every condition. */
export function matches(flow: Flow, filter: CheckedFilter): boolean {
  if (filter.family !== undefined && flow.family !== filter.family) return false
  if (filter.zone !== undefined && flow.zone !== filter.zone) return false
  if (filter.mark !== undefined && (flow.mark & filter.mark.mask) >>> 0 !== filter.mark.value) return false
  return includes(flow.original, filter.original) && includes(flow.reply, filter.reply)
}

function includes(tuple: FlowTuple, wanted: CheckedTuple): boolean {
  return (Object.keys(wanted) as (keyof CheckedTuple)[]).every((key) => wanted[key] === tuple[key])
}
