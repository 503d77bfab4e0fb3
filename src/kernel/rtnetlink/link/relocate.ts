import { release } from 'node:os'
import type { Place } from '../../../contracts/kernel-objects.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import { NLM_F_ACK, type MessageWriter } from '../../netlink/writer.js'
import { linkName } from '../input.js'
import { RTM_NEWLINK } from '../message-types.js'
import { IFF_UP, IFLA_IFNAME, IFLA_NET_NS_FD, IFLA_NEW_IFINDEX } from './attributes.js'
import { beginLink } from './message.js'
import { askLink } from './query.js'

/**
 * `ip link set <name> name <newName>`. Kernels before 6.2 refuse that while the link is up: there it goes down for a
 * moment and loses its routes and IPv6 addresses.
 */
export function renameLink(context: TransactionContext, at: Place, name: string, newName: string): void {
  linkName(newName, 'newName')
  const index = context.linkIndex(at, name)
  const interrupt = !renamesLive(release()) && (askLink(context, at, index)?.up ?? false)
  const writer = context.writer(at, NETLINK_ROUTE)
  if (interrupt) writeState(writer, index, 0)
  beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index)
  writer.attrString(IFLA_IFNAME, newName).end()
  if (interrupt) writeState(writer, index, IFF_UP)
  context.forgetLink(at, name)
  context.newLinkIndex(at, newName, index)
}

export interface Move {
  at: Place
  name: string
  to: Place
  /** Default: the name it has. */
  newName?: string
  /** The kernel takes a link down that it moves. Whether to bring it up again. Default true. */
  up?: boolean
}

/** `ip link set <name> netns <to> name <newName>`: one message. Addresses and routes do not move along. */
export function moveLink(context: TransactionContext, { at, name, to, newName = name, up = true }: Move): void {
  linkName(newName, 'newName')
  const index = context.linkIndex(at, name)
  const newIndex = context.newLinkIndex(to, newName)
  const descriptor = context.namespaceFd(to)
  const writer = context.writer(at, NETLINK_ROUTE)
  const state = up ? IFF_UP : 0
  beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index, state, state)
  writer.attrU32(IFLA_NET_NS_FD, descriptor).attrU32(IFLA_NEW_IFINDEX, newIndex).attrString(IFLA_IFNAME, newName).end()
  context.forgetLink(at, name)
}

/** Since 6.2. */
export function renamesLive(kernelRelease: string): boolean {
  const [major = 0, minor = 0] = kernelRelease.split('.').map((part) => parseInt(part, 10))
  return major > 6 || (major === 6 && minor >= 2)
}

function writeState(writer: MessageWriter, index: number, state: number): void {
  beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index, state, IFF_UP)
  writer.end()
}
