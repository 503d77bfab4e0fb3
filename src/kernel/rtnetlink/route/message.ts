import type { NextHop, RouteObject } from '../../../contracts/kernel-objects.js'
import { AF_INET, AF_INET6, ipSize, putIp } from '../../addresses.js'
import type { TransactionContext } from '../../handler.js'
import { NLA_F_NESTED, type MessageWriter } from '../../netlink/writer.js'
import { prefixLength } from '../../prefixes.js'
import { attrIp, attrNetwork, familyOf } from '../address-attributes.js'
import { boolean, integer, invalid, numberOf } from '../input.js'
import * as route from './constants.js'

const { SCOPE, TYPE, MAIN_TABLE, USUAL_PROTOCOL, IPV6_METRIC, RTNH_F_ONLINK } = route
const LARGEST_U8 = 0xff

/** One message about a route: struct rtmsg of linux/rtnetlink.h. */
export function writeRoute(writer: MessageWriter, type: number, flags: number, object: RouteObject, context: TransactionContext): void {
  const { destination, at, gateway, link, nextHops, metric, source, mtu } = object
  const family = familyOfRoute(object)
  const length = destination === 'default' ? 0 : prefixLength(destination, 'destination')
  const table = integer(object.table ?? MAIN_TABLE, 'table', undefined, 1)
  const protocol = integer(object.protocol ?? USUAL_PROTOCOL, 'protocol', LARGEST_U8)
  const onlink = boolean(object.onlink ?? false, 'onlink') ? RTNH_F_ONLINK : 0
  if (nextHops !== undefined && (gateway ?? link) !== undefined)
    throw invalid('nextHops', 'a route has either these or a gateway and link of its own')
  writer
    .begin(type, flags)
    .u8(family)
    .u8(length)
    .u8(0)
    .u8(0)
    .u8(table > LARGEST_U8 ? 0 : table)
    .u8(protocol)
  writer
    .u8(scopeOf(object, family))
    .u8(numberOf(object.type ?? 'unicast', TYPE, 'type'))
    .u32(onlink)
  if (table > LARGEST_U8) writer.attrU32(route.RTA_TABLE, table)
  if (length > 0) attrNetwork(writer, route.RTA_DST, destination, length, 'destination')
  if (link !== undefined) writer.attrU32(route.RTA_OIF, context.linkIndex(at, link))
  if (gateway !== undefined) attrGateway(writer, family, gateway)
  if (metric !== undefined || family === AF_INET6) writer.attrU32(route.RTA_PRIORITY, integer(metric ?? IPV6_METRIC, 'metric'))
  if (source !== undefined) attrIp(writer, route.RTA_PREFSRC, source, 'source')
  if (mtu !== undefined) attrMtu(writer, mtu)
  if (nextHops !== undefined) attrNextHops(writer, nextHops, family, object, context)
  writer.end()
}

/** AF_INET or AF_INET6. */
export function familyOfRoute({ destination, family, gateway, nextHops }: RouteObject): number {
  if (typeof destination !== 'string') throw invalid('destination', `${JSON.stringify(destination)} is not a network`)
  const implied =
    destination === 'default'
      ? familyOf(gateway ?? nextHops?.find((hop) => hop.gateway !== undefined)?.gateway ?? '')
      : familyOf(destination)
  if (family === undefined) return implied
  const wanted = family === 6 ? AF_INET6 : AF_INET
  if (family !== 4 && family !== 6) throw invalid('family', `${JSON.stringify(family)} is neither 4 nor 6`)
  if (destination !== 'default' && wanted !== implied) throw invalid('family', `${destination} is not of family ${family}`)
  return wanted
}

/** The scope of an IPv4 route when nothing is said, as ip(8) has it. */
export function usualScope({ type = 'unicast', gateway, nextHops }: RouteObject): keyof typeof SCOPE {
  if (type === 'local') return 'host'
  return type === 'unicast' && gateway === undefined && nextHops === undefined ? 'link' : 'global'
}

function scopeOf(object: RouteObject, family: number): number {
  if (family === AF_INET) return numberOf(object.scope ?? usualScope(object), SCOPE, 'scope')
  if (object.scope !== undefined && object.scope !== 'global') throw invalid('scope', 'IPv6 routes have none')
  return SCOPE.global
}

/** A gateway of the other family (an IPv4 route through an IPv6 router, RFC 8950) has an attribute of its own. */
function attrGateway(writer: MessageWriter, family: number, gateway: string): void {
  if (familyOf(gateway) === family) return attrIp(writer, route.RTA_GATEWAY, gateway, 'gateway')
  if (family === AF_INET6) throw invalid('gateway', `${gateway} is not an IPv6 address`)
  const size = ipSize(gateway)
  // struct rtvia: family, address
  const at = writer.attrSpace(route.RTA_VIA, 2 + size)
  writer.memory.set(new Uint8Array(new Uint16Array([AF_INET6]).buffer), at)
  putIp(gateway, writer.memory, at + 2, 'gateway')
}

function attrMtu(writer: MessageWriter, mtu: number): void {
  const metrics = writer.nestBegin(route.RTA_METRICS | NLA_F_NESTED)
  writer.attrU32(route.RTAX_MTU, integer(mtu, 'mtu', undefined, 1))
  writer.nestEnd(metrics)
}

function attrNextHops(
  writer: MessageWriter,
  hops: readonly NextHop[],
  family: number,
  object: RouteObject,
  context: TransactionContext,
): void {
  if (!(hops instanceof Array) || hops.length === 0) throw invalid('nextHops', 'a list of one or more')
  const list = writer.nestBegin(route.RTA_MULTIPATH)
  for (const { gateway, link, weight = 1, onlink = object.onlink ?? false } of hops) {
    const index = link === undefined ? 0 : context.linkIndex(object.at, link)
    // struct rtnexthop: its length (written last, like that of an attribute), flags, weight less one, link
    const hop = writer.structBegin()
    writer
      .u8(boolean(onlink, 'nextHops.onlink') ? RTNH_F_ONLINK : 0)
      .u8(integer(weight, 'nextHops.weight', 256, 1) - 1)
      .i32(index)
    if (gateway !== undefined) attrGateway(writer, family, gateway)
    writer.structEnd(hop)
  }
  writer.nestEnd(list)
}
