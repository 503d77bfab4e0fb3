import type { NextHop, RouteObject } from '../../../contracts/kernel-objects.js'
import { AF_INET6, ipToText } from '../../addresses.js'
import { attributeTable, i32, u16, u32, u8 } from '../../netlink/reader.js'
import { wordOf } from '../input.js'
import * as route from './constants.js'
import { usualScope } from './message.js'

const { SCOPE, TYPE, MAIN_TABLE, USUAL_PROTOCOL, IPV6_METRIC, RTNH_F_ONLINK } = route
const HEADER = 12
/** Length of struct rtnexthop. */
const NEXT_HOP_HEADER = 8
const NOTHING = new Uint8Array(0)

/** A next hop, its link by index. */
export type NextHopFacts = Omit<NextHop, 'link'> & { index: number }

/** A route, its links by index. */
export interface RouteFacts {
  ipv6: boolean
  /** RTM_F_*, RTNH_F_*. */
  flags: number
  /** Absent: no link of its own. */
  index?: number
  hops?: NextHopFacts[]
  /** Prefix length of the destination. */
  length: number
  /** `undefined` for types that libcnm does not make: broadcast, anycast, multicast. */
  type: RouteObject['type']
  scope: number
  table: number
  protocol: number
  metric: number
  /** With prefix, also of a default route. */
  destination: string
  gateway?: string
  source?: string
  mtu?: number
}

/** Pure. @param payload of RTM_NEWROUTE: struct rtmsg and attributes */
export function parseRoute(payload: Uint8Array): RouteFacts | undefined {
  if (payload.length < HEADER) return undefined
  const ipv6 = u8(payload) === AF_INET6
  const table = attributeTable(payload, HEADER, route.RTA_VIA)
  const length = u8(payload, 1)
  const destination = ipToText(table[route.RTA_DST] ?? NOTHING) || (ipv6 ? '::' : '0.0.0.0')
  const metrics = attributeTable(table[route.RTA_METRICS] ?? NOTHING, 0, route.RTAX_MTU)
  const facts: RouteFacts = {
    ipv6,
    flags: u32(payload, 8),
    length,
    type: wordOf(u8(payload, 7), TYPE),
    scope: u8(payload, 6),
    table: table[route.RTA_TABLE] === undefined ? u8(payload, 4) : u32(table[route.RTA_TABLE]),
    protocol: u8(payload, 5),
    metric: u32(table[route.RTA_PRIORITY] ?? NOTHING),
    destination: `${destination}/${length}`,
  }
  const index = u32(table[route.RTA_OIF] ?? NOTHING)
  if (index !== 0) facts.index = index
  const gateway = gatewayOf(table)
  if (gateway !== '') facts.gateway = gateway
  const source = ipToText(table[route.RTA_PREFSRC] ?? NOTHING)
  if (source !== '') facts.source = source
  const mtu = u32(metrics[route.RTAX_MTU] ?? NOTHING)
  if (mtu !== 0) facts.mtu = mtu
  if (table[route.RTA_MULTIPATH] !== undefined) facts.hops = parseNextHops(table[route.RTA_MULTIPATH])
  return facts
}

function gatewayOf(table: readonly (Uint8Array | undefined)[]): string {
  const via = table[route.RTA_VIA]
  return via === undefined ? ipToText(table[route.RTA_GATEWAY] ?? NOTHING) : ipToText(via.subarray(2))
}

/** Pure. @param bytes of RTA_MULTIPATH: struct rtnexthop and attributes, again and again */
export function parseNextHops(bytes: Uint8Array): NextHopFacts[] {
  const hops: NextHopFacts[] = []
  let at = 0
  while (at + NEXT_HOP_HEADER <= bytes.length) {
    const length = u16(bytes, at)
    if (length < NEXT_HOP_HEADER || at + length > bytes.length) break
    const hop: NextHopFacts = { index: i32(bytes, at + 4) }
    const gateway = gatewayOf(attributeTable(bytes.subarray(at + NEXT_HOP_HEADER, at + length), 0, route.RTA_VIA))
    if (gateway !== '') hop.gateway = gateway
    if (u8(bytes, at + 3) !== 0) hop.weight = u8(bytes, at + 3) + 1
    if (u8(bytes, at + 2) & RTNH_F_ONLINK) hop.onlink = true
    hops.push(hop)
    at += (length + 3) & ~3
  }
  return hops
}

/** The normal form, or `undefined` for a route of a kind that libcnm does not make, or on a link that is gone. */
export function routeObject(facts: RouteFacts, at: string, nameOf: (index: number) => string | undefined): RouteObject | undefined {
  const { type, ipv6, table, metric, protocol, gateway, source, mtu } = facts
  if (type === undefined || facts.flags & route.RTM_F_CLONED) return undefined
  const object: RouteObject = { kind: 'route', at, destination: facts.length === 0 ? 'default' : facts.destination }
  if (facts.length === 0 && (ipv6 || isIpv6(gateway ?? facts.hops?.[0]?.gateway))) object.family = ipv6 ? 6 : 4
  if (type !== 'unicast') object.type = type
  // The kernel shows loopback for what leads nowhere.
  if (facts.index !== undefined && (type === 'unicast' || type === 'local')) {
    object.link = nameOf(facts.index)
    if (object.link === undefined) return undefined
  }
  if (gateway !== undefined) object.gateway = gateway
  if (facts.hops !== undefined) object.nextHops = facts.hops.map((hop) => nextHop(hop, nameOf))
  if (metric !== (ipv6 ? IPV6_METRIC : 0)) object.metric = metric
  if (table !== MAIN_TABLE) object.table = table
  if (protocol !== USUAL_PROTOCOL) object.protocol = protocol
  if (source !== undefined) object.source = source
  if (mtu !== undefined) object.mtu = mtu
  if (facts.hops === undefined && facts.flags & RTNH_F_ONLINK) object.onlink = true
  const scope = wordOf(facts.scope, SCOPE)
  if (!ipv6 && scope !== undefined && scope !== usualScope(object)) object.scope = scope
  return object
}

function nextHop({ index, ...fields }: NextHopFacts, nameOf: (index: number) => string | undefined): NextHop {
  const link = nameOf(index)
  return link === undefined ? fields : { ...fields, link }
}

const isIpv6 = (address: string | undefined): boolean => address?.includes(':') === true
