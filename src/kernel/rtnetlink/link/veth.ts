import type { LinkObject, VethPeer } from '../../../contracts/kernel-objects.js'
import type { TransactionContext } from '../../handler.js'
import { NLA_F_NESTED, type MessageWriter } from '../../netlink/writer.js'
import { linkName, refuseUnknown } from '../input.js'
import { IFLA_IFNAME, IFLA_NET_NS_FD, IFLA_NUM_RX_QUEUES, IFLA_NUM_TX_QUEUES } from './attributes.js'
import type { LinkKind, LinkOf } from './kind.js'
import { PEER_NAMES, writeBirthSettings } from './settings.js'
import { unchangeable } from './unchangeable.js'

const VETH_INFO_PEER = 1
const NUMBERED = 'nsid:'

type Veth = LinkOf<'veth'>

/**
 * The peer is made by the same message, in its own namespace and with its own index. The kernel cannot bring it up
 * then: it has no peer of its own yet.
 */
export const veth: LinkKind<Veth> = {
  options: ['peer'],
  write(writer, { at, peer }, context) {
    refuseUnknown(peer, PEER_NAMES, 'a veth peer')
    const start = writer.nestBegin(VETH_INFO_PEER | NLA_F_NESTED)
    // struct ifinfomsg: family, pad, device type, index, flags, mask
    writer
      .u8(0)
      .u8(0)
      .u16(0)
      .i32(context.newLinkIndex(peer.at, linkName(peer.name, 'peer.name'), peer.index))
      .u32(0)
      .u32(0)
    writer.attrString(IFLA_IFNAME, peer.name)
    writeOneQueue(writer)
    writeBirthSettings(writer, peer)
    if (peer.at !== at) writer.attrU32(IFLA_NET_NS_FD, context.namespaceFd(peer.at))
    writer.nestEnd(start)
  },
  differs(from, to) {
    if (from.peer.at !== to.peer.at || from.peer.name !== to.peer.name) throw unchangeable(to, 'the peer')
    return false
  },
}

/**
 * Unless told, the kernel makes a queue per processor at either end, and uses one of them: it then waits for all
 * processors, twice, to take the others out of use.
 */
export function writeOneQueue(writer: MessageWriter): void {
  writer.attrU32(IFLA_NUM_TX_QUEUES, 1)
  writer.attrU32(IFLA_NUM_RX_QUEUES, 1)
}

/** The peer as a link of its own, to be set up or changed like any other. */
export const peerAsLink = (peer: VethPeer): LinkObject => ({ kind: 'link', type: 'existing', ...peer })

export function forgetPeer({ peer }: Veth, context: TransactionContext): void {
  // A peer that was read from the kernel may be in a namespace that nobody here has a name for.
  if (!peer.at.startsWith(NUMBERED)) context.forgetLink(peer.at, peer.name)
}
