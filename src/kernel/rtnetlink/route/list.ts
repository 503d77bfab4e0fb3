import type { Place, RouteObject } from '../../../contracts/kernel-objects.js'
import { constants } from 'node:os'
import { AF_INET, AF_INET6 } from '../../addresses.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import { DumpError } from '../../netlink/socket.js'
import type { MessageWriter } from '../../netlink/writer.js'
import { linkNames } from '../link-names.js'
import { RTM_GETROUTE } from '../message-types.js'
import { MAIN_TABLE, RTA_OIF, RTA_TABLE, TYPE } from './constants.js'
import { parseRoute, routeObject, type RouteFacts } from './parse.js'

const { ENOENT } = constants.errno

/** What to look at; the kernel leaves out the rest. */
export interface RouteFilter {
  family?: 4 | 6
  table?: number
  link?: string
  protocol?: number
  type?: NonNullable<RouteObject['type']>
}

/** Routes of a namespace in normal form, of all tables and families unless the filter says otherwise. */
export function listRoutes(context: TransactionContext, at: Place, filter: RouteFilter = {}): RouteObject[] {
  const nameOf = linkNames(at, context)
  return dumpRoutes(context, at, filter).flatMap((facts) => routeObject(facts, at, nameOf) ?? [])
}

/** Default routes of the main table. */
export const defaultRoutes = (context: TransactionContext, at: Place): RouteObject[] =>
  listRoutes(context, at, { table: MAIN_TABLE }).filter(({ destination }) => destination === 'default')

export function dumpRoutes(context: TransactionContext, at: Place, { family, ...filter }: RouteFilter): RouteFacts[] {
  const four = family === 6 ? [] : dumpFamily(context, at, AF_INET, filter)
  return family === 4 ? four : [...four, ...dumpFamily(context, at, AF_INET6, filter)]
}

function dumpFamily(context: TransactionContext, at: Place, family: number, filter: RouteFilter): RouteFacts[] {
  const socket = context.socket(at, NETLINK_ROUTE)
  const index = filter.link === undefined ? undefined : context.linkIndex(at, filter.link)
  const body = (writer: MessageWriter): void => {
    // struct rtmsg: family, lengths, type of service, table, protocol, scope, type, flags
    writer
      .u8(family)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(filter.protocol ?? 0)
      .u8(0)
      .u8(filter.type === undefined ? 0 : TYPE[filter.type])
      .u32(0)
    if (filter.table !== undefined) writer.attrU32(RTA_TABLE, filter.table)
    if (index !== undefined) writer.attrU32(RTA_OIF, index)
  }
  try {
    // Where a family is missing, the kernel answers with all others.
    return socket.dump(RTM_GETROUTE, body, ({ payload }) => (payload[0] === family ? parseRoute(payload) : undefined))
  } catch (error) {
    // There is no such table: nobody has put a route into it.
    if (error instanceof DumpError && error.errno === ENOENT && filter.table !== undefined) return []
    throw error
  }
}
