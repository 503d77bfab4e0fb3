import type { Place } from '../../../contracts/kernel-objects.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import { NLM_F_ACK } from '../../netlink/writer.js'
import { integer } from '../input.js'
import { RTM_DELLINK, RTM_NEWLINK } from '../message-types.js'
import { IFLA_GROUP } from './attributes.js'
import { beginLink } from './message.js'

/** `ip link set <name> group <group>` for many links, in one batch. @param group 0 takes them out of any */
export function setGroup(context: TransactionContext, at: Place, names: readonly string[], group: number): void {
  integer(group, 'group')
  const indexes = names.map((name) => context.linkIndex(at, name))
  const writer = context.writer(at, NETLINK_ROUTE)
  for (const index of indexes) {
    beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index)
    writer.attrU32(IFLA_GROUP, group).end()
  }
}

/**
 * `ip link delete group <group>`: one message removes every link of the group, and the kernel waits for its grace periods
 * once instead of once per link.
 * @param group not 0, in which all links are that were never given another
 */
export function deleteGroup(context: TransactionContext, at: Place, group: number): void {
  const writer = context.writer(at, NETLINK_ROUTE)
  integer(group, 'group', undefined, 1)
  beginLink(writer, RTM_DELLINK, NLM_F_ACK, 0)
  writer.attrU32(IFLA_GROUP, group).end()
}
