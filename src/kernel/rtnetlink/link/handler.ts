import type { LinkObject } from '../../../contracts/kernel-objects.js'
import { CnmError } from '../../../contracts/errors.js'
import { NETLINK_ROUTE, type ObjectHandler, type TransactionContext } from '../../handler.js'
import { NLM_F_ACK } from '../../netlink/writer.js'
import { RTM_DELLINK } from '../message-types.js'
import { changeLink, releaseExisting } from './change.js'
import { createLink, setUpExisting } from './create.js'
import { describeLink } from './describe.js'
import { birthplace, parentOf } from './kind.js'
import { kindOf } from './kinds.js'
import { listLinks, readLink } from './list.js'
import { MACVLAN_CUTOFF } from './macvlan.js'
import { beginLink } from './message.js'
import { forgetPeer } from './veth.js'

export const linkHandler: ObjectHandler<'link'> = {
  create(link, context, replace) {
    if (link.type === 'existing') return setUpExisting(link, context)
    const old = replace ? readLink(context, link.at, link.name, placesOf(link)) : undefined
    if (old !== undefined && canBecome(old, link)) changeLink(old, link, context)
    else {
      if (old !== undefined) removeLink(old, context)
      createLink(link, context)
    }
    requireHonoured(link, context)
  },
  change(from, to, context) {
    changeLink(from, to, context)
    requireHonoured(to, context)
  },
  remove(link, context) {
    if (link.type === 'existing') releaseExisting(link, context)
    else removeLink(link, context)
  },
  list: listLinks,
  read: (link, context) => readLink(context, link.at, link.name, placesOf(link)),
  describe: describeLink,
}

function removeLink(link: LinkObject, context: TransactionContext): void {
  const index = context.linkIndex(link.at, link.name)
  const writer = context.writer(link.at, NETLINK_ROUTE)
  beginLink(writer, RTM_DELLINK, NLM_F_ACK, index)
  writer.end()
  context.forgetLink(link.at, link.name)
  if (link.type === 'veth') forgetPeer(link, context)
}

/** The kernel cannot replace a link in one message (EOPNOTSUPP): it is changed where that is possible, and made anew where not. */
export function canBecome(old: LinkObject, link: LinkObject): boolean {
  if (old.type !== link.type) return false
  try {
    kindOf(link).differs?.(old, link)
    return true
  } catch {
    return false
  }
}

/** Kernels before 6.4 ignore this option of a macvlan instead of refusing it. @throws CnmError ERR_CNM_NOT_SUPPORTED */
function requireHonoured(link: LinkObject, context: TransactionContext): void {
  if (link.type !== 'macvlan' || link.broadcastCutoff === undefined) return
  const present = readLink(context, link.at, link.name, placesOf(link))
  if (present?.type === 'macvlan' && (present.broadcastCutoff ?? MACVLAN_CUTOFF) === link.broadcastCutoff) return
  throw new CnmError('ERR_CNM_NOT_SUPPORTED', `link ${link.name}: this kernel knows no broadcast cutoff`, { field: 'broadcastCutoff' })
}

function placesOf(link: LinkObject): string[] {
  const places = new Set(['host', birthplace(link), parentOf(link)?.at ?? link.at])
  if (link.type === 'veth') places.add(link.peer.at)
  return [...places]
}
