import { AF_INET6, ipText } from '../netlink/ip.js'
import { attributeMap, u16be, u32be, u64be, u8 } from '../netlink/reader.js'
import * as cta from './attributes.js'
import type { Flow, FlowCounters, FlowTuple } from './flow.js'

/** An IPCTNL_MSG_CT_NEW message; `undefined` when a tuple is missing (a cut reply). */
export function parseFlow(payload: Uint8Array): Flow | undefined {
  const attributes = attributeMap(payload, cta.NFGENMSG)
  const original = parseTuple(attributes.get(cta.TUPLE_ORIG))
  const reply = parseTuple(attributes.get(cta.TUPLE_REPLY))
  if (original === undefined || reply === undefined) return undefined
  const number = (type: number): number => u32be(attributes.get(type) ?? EMPTY)
  const flow: Flow = {
    family: u8(payload) === AF_INET6 ? 6 : 4,
    original,
    reply,
    id: number(cta.ID),
    zone: u16be(attributes.get(cta.ZONE) ?? EMPTY),
    mark: number(cta.MARK),
    status: number(cta.STATUS),
  }
  if (attributes.has(cta.TIMEOUT)) flow.timeout = number(cta.TIMEOUT)
  const tcp = attributeMap(attributes.get(cta.PROTOINFO) ?? EMPTY).get(cta.PROTOINFO_TCP)
  if (tcp !== undefined) flow.tcpState = u8(attributeMap(tcp).get(cta.PROTOINFO_TCP_STATE) ?? EMPTY)
  const [sent, received] = [attributes.get(cta.COUNTERS_ORIG), attributes.get(cta.COUNTERS_REPLY)]
  if (sent !== undefined && received !== undefined) flow.counters = { original: parseCounters(sent), reply: parseCounters(received) }
  return flow
}

const EMPTY = new Uint8Array(0)

function parseTuple(bytes: Uint8Array | undefined): FlowTuple | undefined {
  if (bytes === undefined) return undefined
  const parts = attributeMap(bytes)
  const ip = attributeMap(parts.get(cta.TUPLE_IP) ?? EMPTY)
  const proto = attributeMap(parts.get(cta.TUPLE_PROTO) ?? EMPTY)
  const source = ip.get(cta.IP_V4_SRC) ?? ip.get(cta.IP_V6_SRC)
  const destination = ip.get(cta.IP_V4_DST) ?? ip.get(cta.IP_V6_DST)
  const protocol = proto.get(cta.PROTO_NUM)
  if (source === undefined || destination === undefined || protocol === undefined) return undefined
  const tuple: FlowTuple = { source: ipText(source), destination: ipText(destination), protocol: u8(protocol) }
  const sourcePort = proto.get(cta.PROTO_SRC_PORT)
  const destinationPort = proto.get(cta.PROTO_DST_PORT)
  if (sourcePort !== undefined) tuple.sourcePort = u16be(sourcePort)
  if (destinationPort !== undefined) tuple.destinationPort = u16be(destinationPort)
  const icmpId = proto.get(cta.PROTO_ICMP_ID) ?? proto.get(cta.PROTO_ICMPV6_ID)
  if (icmpId !== undefined) {
    tuple.icmpId = u16be(icmpId)
    tuple.icmpType = u8(proto.get(cta.PROTO_ICMP_TYPE) ?? proto.get(cta.PROTO_ICMPV6_TYPE) ?? EMPTY)
    tuple.icmpCode = u8(proto.get(cta.PROTO_ICMP_CODE) ?? proto.get(cta.PROTO_ICMPV6_CODE) ?? EMPTY)
  }
  return tuple
}

function parseCounters(bytes: Uint8Array): FlowCounters {
  const attributes = attributeMap(bytes)
  const count = (type: number): number => Number(u64be(attributes.get(type) ?? EMPTY))
  return { packets: count(cta.COUNTERS_PACKETS), bytes: count(cta.COUNTERS_BYTES) }
}
