/**
 * rtnetlink: links, addresses, routes, rules, neighbours, bridge ports and queueing disciplines of the kernel
 * (linux/rtnetlink.h). One handler per kind of object, and questions that are no objects.
 */
import { addressHandler } from './address/handler.js'
import { bridgePortHandler } from './bridge/port.js'
import { bridgeVlanHandler } from './bridge/vlan.js'
import { linkHandler } from './link/handler.js'
import { fdbHandler } from './neighbour/fdb.js'
import { neighbourHandler } from './neighbour/handler.js'
import { qdiscHandler } from './qdisc/handler.js'
import { routeHandler } from './route/handler.js'
import { policyRuleHandler } from './rule/handler.js'
import type { ObjectHandler } from '../handler.js'

type RtnetlinkKind = 'link' | 'address' | 'route' | 'policy-rule' | 'neighbour' | 'fdb' | 'bridge-port' | 'bridge-vlan' | 'qdisc'

export const rtnetlinkHandlers: Readonly<{ [K in RtnetlinkKind]: ObjectHandler<K> }> = {
  link: linkHandler,
  address: addressHandler,
  route: routeHandler,
  'policy-rule': policyRuleHandler,
  neighbour: neighbourHandler,
  fdb: fdbHandler,
  'bridge-port': bridgePortHandler,
  'bridge-vlan': bridgeVlanHandler,
  qdisc: qdiscHandler,
}

export { announceLink } from './announce.js'
export { addressesOf } from './address/handler.js'
export { parseAddress, type AddressFacts } from './address/parse.js'
export { parsePort } from './bridge/port.js'
export { parseVlans } from './bridge/vlan.js'
export { canBecome } from './link/handler.js'
export { deleteGroup, setGroup } from './link/groups.js'
export { ipv4SettingOf, writeIPv4Setting } from './link/ipv4-settings.js'
export { listLinks, readFacts, readLink } from './link/list.js'
export { parseLink, type LinkFacts } from './link/parse.js'
export { moveLink, renameLink, type Move } from './link/relocate.js'
export { linkStatistics, listStatistics, parseStatistics, type LinkStatistics } from './link/statistics.js'
export { listNeighbours } from './neighbour/handler.js'
export { parseFdb, type FdbFacts } from './neighbour/parse-fdb.js'
export { parseNeighbour, type NeighbourFacts } from './neighbour/parse.js'
export { parseQdisc, type QdiscFacts } from './qdisc/handler.js'
export { routeGet, type ChosenRoute, type RouteQuestion } from './route/get.js'
export { defaultRoutes, listRoutes, type RouteFilter } from './route/list.js'
export { parseNextHops, parseRoute, type NextHopFacts, type RouteFacts } from './route/parse.js'
export { parseRule, type RuleFacts } from './rule/parse.js'
