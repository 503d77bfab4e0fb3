import { constants } from 'node:os'
import type { Place } from '../../../contracts/kernel-objects.js'
import { kernelError } from '../../errors.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import type { NetlinkSocket } from '../../netlink/socket.js'
import { attributeTable, i32 } from '../../netlink/reader.js'
import { NLM_F_ACK, type MessageWriter } from '../../netlink/writer.js'
import { AF_UNSPEC, RTM_GETLINK, RTM_GETNSID, RTM_NEWNSID } from '../message-types.js'
import { IFLA_EXT_MASK, IFLA_TARGET_NETNSID, RTEXT_FILTER_SKIP_STATS } from './attributes.js'
import { beginLink } from './message.js'
import { parseLink, type LinkFacts } from './parse.js'

const { ENODEV } = constants.errno
const NETNSA_NSID = 1
const NETNSA_FD = 3
/** Replies about so many links fit in the receive queue that a socket has by default. */
const LINKS_AT_ONCE = 24

/** Every link of a namespace. */
export function dumpLinks(socket: NetlinkSocket): LinkFacts[] {
  const body = (writer: MessageWriter): void => {
    // struct ifinfomsg, then what to leave out
    writer.u8(AF_UNSPEC).u8(0).u16(0).i32(0).u32(0).u32(0).attrU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
  }
  return socket.dump(RTM_GETLINK, body, ({ payload }) => parseLink(payload))
}

/** @returns undefined when there is no such link */
export function askLink(context: TransactionContext, at: Place, index: number): LinkFacts | undefined {
  const [answer] = askLinks(context.socket(at, NETLINK_ROUTE), [index])
  if (answer === undefined || answer.errno === ENODEV) return undefined
  if (answer.errno !== 0) throw kernelError({ ...answer, operation: `ip link show ${index}`, subject: 'link' })
  return answer.facts
}

interface LinkAnswer {
  errno: number
  text?: string
  facts?: LinkFacts
}

/**
 * Asks for links by index.
 * @param namespace the kernel's number of another namespace, absent: that of the socket
 */
export function askLinks(socket: NetlinkSocket, indexes: readonly number[], namespace?: number): LinkAnswer[] {
  const writer = socket.writer()
  for (const index of indexes) {
    beginLink(writer, RTM_GETLINK, NLM_F_ACK, index)
    writer.attrU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS)
    if (namespace !== undefined) writer.attrU32(IFLA_TARGET_NETNSID, namespace)
    writer.end()
  }
  return socket.exchange(writer, LINKS_AT_ONCE).map(({ errno, text, replies: [reply] }) => ({
    errno,
    text,
    facts: reply === undefined ? undefined : parseLink(reply.payload),
  }))
}

/** The number that a namespace has in that of the socket, if it has one. */
export function namespaceNumber(socket: NetlinkSocket, descriptor: number): number | undefined {
  const { replies } = socket.request(RTM_GETNSID, 0, (writer) => {
    // struct rtgenmsg, padded
    writer.u8(AF_UNSPEC).u8(0).u16(0).attrU32(NETNSA_FD, descriptor)
  })
  const reply = replies.find(({ type }) => type === RTM_NEWNSID)
  const number = reply === undefined ? undefined : attributeTable(reply.payload, 4, NETNSA_NSID)[NETNSA_NSID]
  return number === undefined || i32(number) < 0 ? undefined : i32(number)
}
