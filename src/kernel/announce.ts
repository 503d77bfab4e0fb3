import type { Place } from '../contracts/kernel-objects.js'
import { NETLINK_ROUTE, type TransactionContext } from './handler.js'
import { NLM_F_ACK } from './netlink/writer.js'
import { attrMac } from './rtnetlink/address-attributes.js'
import { IFLA_ADDRESS } from './rtnetlink/link/attributes.js'
import { beginLink } from './rtnetlink/link/message.js'
import { readLink } from './rtnetlink/index.js'
import { RTM_SETLINK } from './rtnetlink/message-types.js'

/**
 * Sets the MAC of a link to what it is: with arp_notify and ndisc_notify on, the kernel then tells the neighbours where
 * its addresses are, by gratuitous ARP and unsolicited neighbour advertisements. A link that is gone has nothing to tell.
 */
export function announceLink(context: TransactionContext, at: Place, name: string): void {
  const link = readLink(context, at, name)
  if (link?.mac === undefined) return
  const writer = context.writer(at, NETLINK_ROUTE)
  beginLink(writer, RTM_SETLINK, NLM_F_ACK, context.linkIndex(at, name))
  attrMac(writer, IFLA_ADDRESS, link.mac, 'mac')
  writer.end()
  context.flush()
}
