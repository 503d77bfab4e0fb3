import type { LinkObject, Place } from '../../../contracts/kernel-objects.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import { NLA_F_NESTED, NLM_F_ACK, type MessageWriter } from '../../netlink/writer.js'
import { RTM_NEWLINK } from '../message-types.js'
import { IFF_UP, IFLA_INFO_DATA, IFLA_INFO_KIND, IFLA_LINKINFO, IFLA_MASTER } from './attributes.js'
import { masterIndex } from './create.js'
import type { LinkKind } from './kind.js'
import { kindOf, usesArp } from './kinds.js'
import { beginLink } from './message.js'
import { moveLink, renameLink } from './relocate.js'
import { changedMask, generationDiffers, stateOf, writeChangedSettings } from './settings.js'
import { unchangeable } from './unchangeable.js'
import { peerAsLink } from './veth.js'

/** Leads a link from one state to the other; only what differs is sent. */
export function changeLink(from: LinkObject, to: LinkObject, context: TransactionContext): void {
  const kind = kindOf(to)
  const sameType = from.type === to.type
  if (!sameType && from.type !== 'existing' && to.type !== 'existing') throw unchangeable(to, 'the type')
  const options = sameType && kind.differs?.(from, to) === true ? kind : undefined
  if (from.at !== to.at) moveLink(context, { at: from.at, name: from.name, to: to.at, newName: to.name, up: to.up ?? true })
  else if (from.name !== to.name) renameLink(context, to.at, from.name, to.name)
  changeSettings(from, to, to.at, options, context)
  if (from.type === 'veth' && to.type === 'veth') changeSettings(peerAsLink(from.peer), peerAsLink(to.peer), to.peer.at, undefined, context)
}

/** Takes back what {@link setUpExisting} may have claimed: membership and owner. The other settings stay. */
export function releaseExisting(link: LinkObject, context: TransactionContext): void {
  if (link.master === undefined && link.alias === undefined) return
  const { master: _master, alias: _alias, ...released } = link
  changeLink(link, released, context)
}

function changeSettings(from: LinkObject, to: LinkObject, at: Place, options: LinkKind | undefined, context: TransactionContext): void {
  const index = context.linkIndex(at, to.name)
  const arp = usesArp(to.type)
  let mask = changedMask(from, to, arp)
  const state = stateOf({ ...to, arp: to.arp ?? arp })
  const raiseLater = (mask & state & IFF_UP) !== 0 && generationDiffers(from, to)
  if (raiseLater) mask &= ~IFF_UP
  const master = from.at === to.at && from.master === to.master ? undefined : (masterIndex(to, context) ?? 0)
  const writer = context.writer(at, NETLINK_ROUTE)
  beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index, state & mask, mask)
  const start = writer.length
  writeChangedSettings(writer, from, to)
  if (master !== undefined) writer.attrU32(IFLA_MASTER, master)
  if (options !== undefined) writeOptions(writer, options, from, to, context)
  if (writer.length === start && mask === 0) writer.drop()
  else writer.end()
  if (!raiseLater) return
  beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index, IFF_UP, IFF_UP)
  writer.end()
}

function writeOptions(writer: MessageWriter, kind: LinkKind, from: LinkObject, to: LinkObject, context: TransactionContext): void {
  const info = writer.nestBegin(IFLA_LINKINFO | NLA_F_NESTED)
  writer.attrString(IFLA_INFO_KIND, to.type)
  const data = writer.nestBegin(IFLA_INFO_DATA | NLA_F_NESTED)
  kind.writeChanges?.(writer, from, to, context)
  writer.nestEnd(data)
  writer.nestEnd(info)
}
