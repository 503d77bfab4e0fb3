import type { Place, RouteObject } from '../../../contracts/kernel-objects.js'
import { ipSize, isIpv6Text } from '../../addresses.js'
import { kernelError } from '../../errors.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import { attrIp, familyOf } from '../address-attributes.js'
import { integer } from '../input.js'
import { RTM_GETROUTE } from '../message-types.js'
import { RTA_DST, RTA_MARK, RTA_OIF, RTA_SRC, RTM_F_LOOKUP_TABLE } from './constants.js'
import { parseRoute } from './parse.js'

/** Which way the kernel would send a packet. */
export interface ChosenRoute {
  link?: string
  /** Absent: the destination is a neighbour. */
  gateway?: string
  /** Address that the packet would come from. */
  source?: string
  /** `local`: the destination is the namespace itself. */
  type?: NonNullable<RouteObject['type']>
  table: number
  mtu?: number
}

export interface RouteQuestion {
  source?: string
  link?: string
  mark?: number
}

/** `ip route get <destination>`. @throws CnmError where there is no route */
export function routeGet(
  context: TransactionContext,
  at: Place,
  destination: string,
  { source, link, mark }: RouteQuestion = {},
): ChosenRoute {
  const socket = context.socket(at, NETLINK_ROUTE)
  const index = link === undefined ? undefined : context.linkIndex(at, link)
  const { replies, ...answer } = socket.request(RTM_GETROUTE, 0, (writer) => {
    const bits = ipSize(destination) * 8
    writer
      .u8(familyOf(destination))
      .u8(bits)
      .u8(source === undefined ? 0 : bits)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(0)
      .u8(0)
    // IPv6 names the table in any case, and refuses to be asked for it.
    writer.u32(isIpv6Text(destination) ? 0 : RTM_F_LOOKUP_TABLE)
    attrIp(writer, RTA_DST, destination, 'destination')
    if (source !== undefined) attrIp(writer, RTA_SRC, source, 'source')
    if (index !== undefined) writer.attrU32(RTA_OIF, index)
    if (mark !== undefined) writer.attrU32(RTA_MARK, integer(mark, 'mark'))
  })
  const facts = replies[0] === undefined ? undefined : parseRoute(replies[0].payload)
  if (facts === undefined) throw kernelError({ ...answer, operation: `ip route get ${destination}` })
  const chosen: ChosenRoute = { table: facts.table }
  if (facts.index !== undefined) chosen.link = context.linkName(at, facts.index)
  if (facts.gateway !== undefined) chosen.gateway = facts.gateway
  if (facts.source !== undefined) chosen.source = facts.source
  if (facts.type !== undefined) chosen.type = facts.type
  if (facts.mtu !== undefined) chosen.mtu = facts.mtu
  return chosen
}
