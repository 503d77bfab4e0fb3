import { attributes, i32, text, u32, type Message } from './reader.js'

export const NLMSG_ERROR = 2
export const NLMSG_DONE = 3
const NLMSGERR_ATTR_MSG = 1
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200

/** The kernel's answer to one message of a batch. `errno` 0 is success. */
export interface Acknowledgement {
  sequence: number
  errno: number
  /** NETLINK_EXT_ACK. */
  text?: string
  /** Messages that came before the acknowledgement (the reply to a get). */
  replies: Message[]
}

/** Whether the message ends the answer to a request. */
export const isFinal = (message: Message): boolean => message.type === NLMSG_ERROR || message.type === NLMSG_DONE

/** Error number and text of an NLMSG_ERROR or NLMSG_DONE (linux/netlink.h, struct nlmsgerr). */
export function outcome(message: Message): { errno: number; text?: string } {
  // -0 would differ from 0 in strict comparisons.
  const errno = 0 - i32(message.payload)
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno }
  for (const attribute of attributes(message.payload, extensionsAt(message))) {
    if (attribute.type === NLMSGERR_ATTR_MSG) return { errno, text: text(attribute.value) }
  }
  return { errno }
}

/** NLMSG_DONE: an int, then TLVs. NLMSG_ERROR: an int, the header of the request (and, uncapped, its body), then TLVs. */
function extensionsAt(message: Message): number {
  if (message.type === NLMSG_DONE) return 4
  // Not with bits: they are signed, and a length that lies must lead beyond the end, not before the beginning.
  return message.flags & NLM_F_CAPPED ? 20 : 4 + Math.ceil(u32(message.payload, 4) / 4) * 4
}
