/** Generic netlink (linux/genetlink.h): families have names, and numbers that the kernel gives out at run time. */
import { NETLINK_GENERIC } from './handler.js'
import { kernelError } from './errors.js'
import { attributeMap, u16 } from './netlink/reader.js'
import type { NetlinkSocket } from './netlink/socket.js'
import type { MessageWriter } from './netlink/writer.js'

export { NETLINK_GENERIC }

const GENL_ID_CTRL = 0x10
const CTRL_CMD_GETFAMILY = 3
const CTRL_ATTR_FAMILY_ID = 1
const CTRL_ATTR_FAMILY_NAME = 2
/** Bytes of struct genlmsghdr, before the attributes. */
export const GENL_HEADER = 4

/**
 * Number of a family, which is the message type of its requests. The kernel loads the module if it has one.
 * @throws CnmError ERR_CNM_NOT_SUPPORTED when the kernel has no such family
 */
export function genericFamily(socket: NetlinkSocket, name: string): number {
  const answer = socket.request(GENL_ID_CTRL, 0, (writer) =>
    genericHeader(writer, CTRL_CMD_GETFAMILY, 1).attrString(CTRL_ATTR_FAMILY_NAME, name),
  )
  const id = answer.replies.map(({ payload }) => familyId(payload)).find((found) => found !== 0)
  if (answer.errno === 0 && id !== undefined) return id
  const missing = answer.errno === ENOENT || answer.errno === 0
  const text = missing ? `the kernel has no generic netlink family ${name}` : answer.text
  throw kernelError({ errno: missing ? EOPNOTSUPP : answer.errno, text, operation: `look up generic netlink family ${name}` })
}

const ENOENT = 2
const EOPNOTSUPP = 95

/** Family number in a CTRL_CMD_NEWFAMILY reply, 0 if there is none. */
export function familyId(payload: Uint8Array): number {
  const id = attributeMap(payload, GENL_HEADER).get(CTRL_ATTR_FAMILY_ID)
  return id === undefined ? 0 : u16(id)
}

/** struct genlmsghdr: command, version, reserved. Written after {@link MessageWriter.begin} with the family's number. */
export const genericHeader = (writer: MessageWriter, command: number, version: number): MessageWriter =>
  writer.u8(command).u8(version).u16(0)
