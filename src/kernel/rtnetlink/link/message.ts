import type { MessageWriter } from '../../netlink/writer.js'
import { AF_UNSPEC } from '../message-types.js'

/**
 * Starts a message about one link: struct ifinfomsg of linux/rtnetlink.h.
 * @param state IFF_* flags
 * @param mask which of them are to change
 */
export function beginLink(
  writer: MessageWriter,
  type: number,
  flags: number,
  index: number,
  state = 0,
  mask = 0,
  family = AF_UNSPEC,
): void {
  writer.begin(type, flags).u8(family).u8(0).u16(0).i32(index).u32(state).u32(mask)
}
