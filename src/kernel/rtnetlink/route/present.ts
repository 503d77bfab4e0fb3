import { constants } from 'node:os'
import type { RouteObject } from '../../../contracts/kernel-objects.js'
import { AF_INET, canonicalIp } from '../../addresses.js'
import { kernelError } from '../../errors.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import { attrPrefixAddress } from '../address-attributes.js'
import { RTM_GETROUTE } from '../message-types.js'
import { MAIN_TABLE, RTA_DST, RTM_F_FIB_MATCH, RTM_F_LOOKUP_TABLE, SCOPE, USUAL_PROTOCOL } from './constants.js'
import { dumpRoutes } from './list.js'
import { familyOfRoute, usualScope } from './message.js'
import { parseRoute, type RouteFacts } from './parse.js'

const { ESRCH } = constants.errno

/**
 * For the removal of an IPv4 route without metric: the kernel takes that for "of any metric", so one must look whether
 * there is the one that is meant; of several, the kernel then removes that first.
 * @throws CnmError with errno ESRCH
 */
export function requirePresent(object: RouteObject, context: TransactionContext, operation: string): void {
  if ((object.metric ?? 0) !== 0 || familyOfRoute(object) !== AF_INET) return
  const found = ask(object, context)
  if (found !== undefined && isRoute(found, object, context)) return
  if (!context.note(ListedRoutes).take(object, context)) throw kernelError({ errno: ESRCH, operation })
}

/** Routes without metric, as listed once for many removals. */
class ListedRoutes {
  /** By place and table, then by destination. */
  #tables = new Map<string, Map<string, RouteFacts[]>>()

  /** Whether the route is there; it is taken for removed then. */
  take(object: RouteObject, context: TransactionContext): boolean {
    const { at, table = MAIN_TABLE } = object
    const key = `${at} ${table}`
    const known = this.#tables.get(key)
    if (known !== undefined && takeFrom(known, object, context)) return true
    const routes = new Map<string, RouteFacts[]>()
    for (const facts of dumpRoutes(context, at, { family: 4, table })) {
      if (facts.metric !== 0) continue
      const others = routes.get(facts.destination)
      if (others === undefined) routes.set(facts.destination, [facts])
      else others.push(facts)
    }
    this.#tables.set(key, routes)
    return takeFrom(routes, object, context)
  }
}

function takeFrom(routes: ReadonlyMap<string, RouteFacts[]>, object: RouteObject, context: TransactionContext): boolean {
  const candidates = routes.get(canonicalDestination(object.destination)) ?? []
  const index = candidates.findIndex((facts) => isRoute(facts, object, context))
  if (index >= 0) candidates.splice(index, 1)
  return index >= 0
}

/** The longest match for the destination's first address is mostly the route itself, and spares a dump. */
function ask({ at, destination }: RouteObject, context: TransactionContext): RouteFacts | undefined {
  if (destination === 'default' || destination.endsWith('/0')) return undefined
  const { replies } = context.socket(at, NETLINK_ROUTE).request(RTM_GETROUTE, 0, (writer) => {
    writer
      .u8(AF_INET)
      .u8(32)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(0)
      .u32(RTM_F_FIB_MATCH | RTM_F_LOOKUP_TABLE)
    attrPrefixAddress(writer, RTA_DST, destination, 'destination')
  })
  return replies[0] === undefined ? undefined : parseRoute(replies[0].payload)
}

/** Whether these are the fields by which the kernel chooses what it removes. */
function isRoute(facts: RouteFacts, object: RouteObject, context: TransactionContext): boolean {
  const { at, link, gateway, nextHops, source, mtu, type = 'unicast', table = MAIN_TABLE, protocol = USUAL_PROTOCOL } = object
  return (
    facts.metric === 0 &&
    facts.destination === canonicalDestination(object.destination) &&
    facts.table === table &&
    facts.type === type &&
    (protocol === 0 || facts.protocol === protocol) &&
    facts.scope === SCOPE[object.scope ?? usualScope(object)] &&
    (link === undefined || facts.index === context.linkIndex(at, link)) &&
    (gateway === undefined || facts.gateway === canonicalIp(gateway)) &&
    (nextHops === undefined || facts.hops?.length === nextHops.length) &&
    (source === undefined || facts.source === canonicalIp(source)) &&
    (mtu === undefined || facts.mtu === mtu)
  )
}

function canonicalDestination(destination: string): string {
  if (destination === 'default') return '0.0.0.0/0'
  return destination.includes('/') ? destination : `${destination}/32`
}
