/**
 * Numbers by which one network namespace knows others (RTM_NEWNSID, linux/net_namespace.h). The kernel reports events
 * only of namespaces that have one.
 */
import { kernelError } from '../errors.js'
import { attributeMap, i32 } from '../netlink/reader.js'
import type { NetlinkSocket } from '../netlink/socket.js'

const RTM_NEWNSID = 88
const RTM_GETNSID = 90
const NETNSA_NSID = 1
const NETNSA_FD = 3
const CHOOSE = -1
const EEXIST = 17
/** struct rtgenmsg, padded. */
const GENERIC_HEADER = 4

/**
 * Number of a namespace, given one if it has none.
 * @param socket NETLINK_ROUTE, in the namespace that is to know the other
 * @param fd descriptor of the other namespace
 */
export function assignNamespaceId(socket: NetlinkSocket, fd: number): number {
  const known = namespaceId(socket, fd)
  if (known !== undefined) return known
  const { errno, text } = socket.request(RTM_NEWNSID, 0, (writer) =>
    writer
      .u32(0)
      .attrU32(NETNSA_NSID, CHOOSE >>> 0)
      .attrU32(NETNSA_FD, fd),
  )
  if (errno !== 0 && errno !== EEXIST) throw kernelError({ errno, text, operation: 'ip netns set auto', subject: 'namespace' })
  const assigned = namespaceId(socket, fd)
  if (assigned === undefined) throw kernelError({ errno: 2, operation: 'ip netns list-id', subject: 'namespace' })
  return assigned
}

export function namespaceId(socket: NetlinkSocket, fd: number): number | undefined {
  const { errno, text, replies } = socket.request(RTM_GETNSID, 0, (writer) => writer.u32(0).attrU32(NETNSA_FD, fd))
  if (errno !== 0) throw kernelError({ errno, text, operation: 'ip netns list-id', subject: 'namespace' })
  return replies.map(({ payload }) => parseNamespaceId(payload)).find((id) => id !== undefined)
}

/** The number in an RTM_NEWNSID or RTM_DELNSID message; `undefined` when the namespace has none. */
export function parseNamespaceId(payload: Uint8Array): number | undefined {
  const id = attributeMap(payload, GENERIC_HEADER).get(NETNSA_NSID)
  return id === undefined || i32(id) < 0 ? undefined : i32(id)
}
