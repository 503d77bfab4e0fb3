import type { RouteObject } from '../../../contracts/kernel-objects.js'
import { NETLINK_ROUTE, type ObjectHandler, type TransactionContext } from '../../handler.js'
import { NLM_F_ACK } from '../../netlink/writer.js'
import { creationFlags } from '../creation-flags.js'
import { inNamespace } from '../describe-place.js'
import { refuseUnknown } from '../input.js'
import { RTM_DELROUTE, RTM_NEWROUTE } from '../message-types.js'
import { AF_INET6 } from '../../addresses.js'
import { IPV6_METRIC, MAIN_TABLE } from './constants.js'
import { listRoutes } from './list.js'
import { familyOfRoute, writeRoute } from './message.js'
import { requirePresent } from './present.js'

const NAMES: ReadonlySet<string> = new Set<keyof RouteObject>([
  'kind',
  'at',
  'destination',
  'family',
  'gateway',
  'link',
  'nextHops',
  'metric',
  'table',
  'type',
  'scope',
  'onlink',
  'source',
  'protocol',
  'mtu',
])
const HOP_NAMES: ReadonlySet<string> = new Set(['gateway', 'link', 'weight', 'onlink'])

export const routeHandler: ObjectHandler<'route'> = {
  create(object, context, replace) {
    check(object)
    send(object, RTM_NEWROUTE, creationFlags(replace), context)
  },
  change(from, to, context) {
    check(to)
    if (sameRoute(from, to)) return send(to, RTM_NEWROUTE, creationFlags(true), context)
    remove(from, context)
    send(to, RTM_NEWROUTE, creationFlags(false), context)
  },
  remove,
  list: (at, context) => listRoutes(context, at),
  describe: describeRoute,
}

function check(object: RouteObject): void {
  refuseUnknown(object, NAMES, 'a route')
  for (const hop of object.nextHops ?? []) refuseUnknown(hop, HOP_NAMES, 'a next hop')
}

function remove(object: RouteObject, context: TransactionContext): void {
  requirePresent(object, context, describeRoute('delete', object))
  send(object, RTM_DELROUTE, NLM_F_ACK, context)
}

function send(object: RouteObject, type: number, flags: number, context: TransactionContext): void {
  writeRoute(context.writer(object.at, NETLINK_ROUTE), type, flags, object, context)
}

/** Whether the kernel takes one for the other: place, table, destination, metric. */
function sameRoute(from: RouteObject, to: RouteObject): boolean {
  return from.at === to.at && key(from) === key(to)
}

function key(object: RouteObject): string {
  const ipv6 = familyOfRoute(object) === AF_INET6
  const destination = object.destination === 'default' ? (ipv6 ? '::/0' : '0.0.0.0/0') : object.destination
  return `${object.table ?? MAIN_TABLE} ${destination} ${object.metric ?? (ipv6 ? IPV6_METRIC : 0)}`
}

function describeRoute(action: 'create' | 'change' | 'delete', object: RouteObject): string {
  const { at, destination, family, type, gateway, link, metric, table, source, nextHops } = object
  const words = [
    `${inNamespace('ip', at)}${family === 6 ? ' -6' : ''} route ${action === 'create' ? 'add' : action === 'delete' ? 'delete' : 'replace'}`,
    type === undefined ? '' : ` ${type}`,
    ` ${destination}`,
    gateway === undefined ? '' : ` via ${gateway}`,
    link === undefined ? '' : ` dev ${link}`,
    source === undefined ? '' : ` src ${source}`,
    metric === undefined ? '' : ` metric ${metric}`,
    table === undefined ? '' : ` table ${table}`,
    ...(nextHops ?? []).map(
      (hop) => ` nexthop${hop.gateway === undefined ? '' : ` via ${hop.gateway}`}${hop.link === undefined ? '' : ` dev ${hop.link}`}`,
    ),
  ]
  return words.join('')
}
