/** linux/neighbour.h: neighbours of IP and, with AF_BRIDGE, forwarding entries of bridges and vxlan. */
import type { MessageWriter } from '../../netlink/writer.js'

export const NDA_DST = 1
export const NDA_LLADDR = 2
export const NDA_VLAN = 5
export const NDA_PORT = 6
export const NDA_VNI = 7
export const NDA_MASTER = 9

export const NTF_SELF = 0x02
export const NTF_MASTER = 0x04
export const NTF_PROXY = 0x08
export const NTF_ROUTER = 0x80

export const NUD_INCOMPLETE = 0x01
export const NUD_REACHABLE = 0x02
export const NUD_STALE = 0x04
export const NUD_DELAY = 0x08
export const NUD_PROBE = 0x10
export const NUD_FAILED = 0x20
export const NUD_NOARP = 0x40
export const NUD_PERMANENT = 0x80

/** Length of struct ndmsg. */
export const NEIGHBOUR_HEADER = 12

/** Starts a message: struct ndmsg. */
export function beginNeighbour(
  writer: MessageWriter,
  type: number,
  flags: number,
  family: number,
  index: number,
  state: number,
  ntf: number,
): void {
  writer.begin(type, flags).u8(family).u8(0).u16(0).i32(index).u16(state).u8(ntf).u8(0)
}
