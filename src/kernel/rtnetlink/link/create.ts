import type { LinkObject, Place } from '../../../contracts/kernel-objects.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import { NLA_F_NESTED, NLM_F_ACK, type MessageWriter } from '../../netlink/writer.js'
import { creationFlags } from '../creation-flags.js'
import { invalid, linkName } from '../input.js'
import { RTM_NEWLINK } from '../message-types.js'
import {
  IFF_UP,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_KIND,
  IFLA_LINK,
  IFLA_LINKINFO,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_NET_NS_FD,
} from './attributes.js'
import { birthplace, parentOf, type LinkKind } from './kind.js'
import { choosesArp, hasOwnMac, kindOf } from './kinds.js'
import { beginLink } from './message.js'
import { hasLaterSettings, maskOf, stateOf, writeBirthSettings, writeLaterSettings, type LinkSettings } from './settings.js'
import { peerAsLink, writeOneQueue } from './veth.js'

const SMALLEST_MTU = 68

/** Makes a link that does not exist: one message, and one more for what the kernel only takes from a link that is there. */
export function createLink(link: LinkObject, context: TransactionContext): void {
  const kind = kindOf(link)
  linkName(link.name)
  if (link.arp !== undefined && !choosesArp(link.type)) throw invalid('arp', `a link of type ${link.type} has it by its mode`)
  if (link.mac !== undefined && !hasOwnMac(link.type)) throw invalid('mac', `a link of type ${link.type} has no MAC of its own`)
  const index = writeCreation(link.type === 'bridge' ? withOtherMtu(link) : link, kind, context)
  if (link.type === 'bridge' && link.mtu !== undefined) writeMtu(link.mtu, link.at, index, context)
  raise(link, link.at, index, laterUp(link), context)
  if (link.type === 'veth') {
    const { peer } = link
    raise(peerAsLink(peer), peer.at, context.linkIndex(peer.at, peer.name), peer.up ?? true, context)
  }
}

/** Sets what the object says on a link that somebody else made. */
export function setUpExisting(link: LinkObject, context: TransactionContext): void {
  kindOf(link)
  const index = context.linkIndex(link.at, link.name)
  const master = masterIndex(link, context)
  const later = laterUp(link)
  const writer = context.writer(link.at, NETLINK_ROUTE)
  beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index, stateOf(link) & ~(later ? IFF_UP : 0), maskOf(link) & ~(later ? IFF_UP : 0))
  writeBirthSettings(writer, link)
  writeLaterSettings(writer, link)
  if (master !== undefined) writer.attrU32(IFLA_MASTER, master)
  writer.end()
  if (later) writeUp(writer, index)
}

export function masterIndex({ at, master }: LinkObject, context: TransactionContext): number | undefined {
  return master === undefined ? undefined : context.linkIndex(at, master)
}

function writeCreation(link: LinkObject, kind: LinkKind, context: TransactionContext): number {
  const place = birthplace(link)
  const index = chooseIndex(link, place, context)
  const master = masterIndex(link, context)
  const notYet = laterUp(link) ? IFF_UP : 0
  const writer = context.writer(place, NETLINK_ROUTE)
  beginLink(writer, RTM_NEWLINK, creationFlags(false), index, stateOf(link) & ~notYet, maskOf(link) & ~notYet)
  writer.attrString(IFLA_IFNAME, link.name)
  if (link.type === 'veth') writeOneQueue(writer)
  writeBirthSettings(writer, link)
  if (master !== undefined) writer.attrU32(IFLA_MASTER, master)
  if (place !== link.at) writer.attrU32(IFLA_NET_NS_FD, context.namespaceFd(link.at))
  writeParent(writer, link, place, context)
  const info = writer.nestBegin(IFLA_LINKINFO | NLA_F_NESTED)
  writer.attrString(IFLA_INFO_KIND, link.type)
  if (kind.write !== undefined) {
    const data = writer.nestBegin(IFLA_INFO_DATA | NLA_F_NESTED)
    kind.write(writer, link, context)
    writer.nestEnd(data)
  }
  writer.nestEnd(info)
  writer.end()
  return index
}

/** A bridge takes its MTU from its ports, unless it was once changed: an MTU that it is born with does not count. */
const withOtherMtu = <T extends LinkObject>(link: T): T =>
  link.mtu === undefined ? link : { ...link, mtu: link.mtu > SMALLEST_MTU ? link.mtu - 1 : link.mtu + 1 }

function writeMtu(mtu: number, at: Place, index: number, context: TransactionContext): void {
  const writer = context.writer(at, NETLINK_ROUTE)
  beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index)
  writer.attrU32(IFLA_MTU, mtu)
  writer.end()
}

/** A vxlan has its lower link among its options. */
function writeParent(writer: MessageWriter, link: LinkObject, place: Place, context: TransactionContext): void {
  if (link.type === 'vxlan') return
  const parent = parentOf(link)
  if (parent !== undefined) writer.attrU32(IFLA_LINK, context.linkIndex(place, parent.name))
  else if (kindOf(link).options.includes('parent')) throw invalid('parent', `a link of type ${link.type} needs one`)
}

/**
 * Kernels up to 6.14 look for the index in the namespace of the socket even when the link is to be in another one, and
 * take a link that has it there for the one to be changed.
 */
function chooseIndex(link: LinkObject, place: Place, context: TransactionContext): number {
  let index = context.newLinkIndex(link.at, link.name, link.index)
  if (place === link.at || link.index !== undefined) return index
  while (context.linkName(place, index) !== undefined) index = context.newLinkIndex(link.at, link.name)
  return index
}

/** An address must not be generated before it is said how: such a link is made down and brought up last. */
const laterUp = (link: LinkSettings): boolean => link.ipv6AddressGeneration !== undefined && (link.up ?? true)

function raise(link: LinkSettings, at: Place, index: number, up: boolean, context: TransactionContext): void {
  const later = hasLaterSettings(link)
  if (!later && !up) return
  const writer = context.writer(at, NETLINK_ROUTE)
  const separate = link.ipv6AddressGeneration !== undefined
  if (later) {
    const state = up && !separate ? IFF_UP : 0
    beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index, state, state)
    writeLaterSettings(writer, link)
    writer.end()
  }
  if (up && (separate || !later)) writeUp(writer, index)
}

function writeUp(writer: MessageWriter, index: number): void {
  beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index, IFF_UP, IFF_UP)
  writer.end()
}
