import type { Place } from '../../contracts/kernel-objects.js'
import { kernelError } from '../errors.js'
import { NETLINK_ROUTE, type TransactionContext } from '../handler.js'
import { NLM_F_ACK } from '../netlink/writer.js'
import { attrMac } from './address-attributes.js'
import { IFLA_ADDRESS } from './link/attributes.js'
import { readFacts } from './link/list.js'
import { beginLink } from './link/message.js'
import { RTM_NEWLINK } from './message-types.js'
import { neighbourHandler, listNeighbours } from './neighbour/handler.js'

const ENODEV = 19

/**
 * Has the kernel tell the neighbours of a link where its addresses are, by setting the MAC that it has. Where arp_notify
 * and ndisc_notify are on, the kernel then sends gratuitous ARP and unsolicited neighbour advertisements. It also forgets
 * the neighbours of the link: permanent ones are put back.
 * @throws CnmError ERR_CNM_LINK_NOT_FOUND
 */
export function announceLink(context: TransactionContext, at: Place, link: string): void {
  const facts = readFacts(context, at, link)
  if (facts === undefined) throw kernelError({ errno: ENODEV, operation: `announce ${link}`, subject: 'link' })
  const { mac } = facts.settings
  if (mac === undefined) return
  const kept = listNeighbours(context, at, false, link).filter(({ state = 'permanent' }) => state === 'permanent' || state === 'noarp')
  const writer = context.writer(at, NETLINK_ROUTE)
  beginLink(writer, RTM_NEWLINK, NLM_F_ACK, facts.index)
  attrMac(writer, IFLA_ADDRESS, mac, 'mac')
  writer.end()
  for (const neighbour of kept) neighbourHandler.create(neighbour, context, true)
  context.flush()
}
