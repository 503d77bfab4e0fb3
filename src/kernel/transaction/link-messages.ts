/** The few rtnetlink requests that a transaction makes by itself: linux/if_link.h, linux/rtnetlink.h. */
import { NLM_F_ACK, type MessageWriter } from '../netlink/writer.js'
import { attributeMap, i32, text, type Message } from '../netlink/reader.js'

const RTM_NEWLINK = 16
const RTM_DELLINK = 17
const RTM_GETLINK = 18
const AF_UNSPEC = 0
const IFLA_IFNAME = 3
const IFLA_LINKINFO = 18
const IFLA_GROUP = 27
const IFLA_EXT_MASK = 29
const IFLA_INFO_KIND = 1
const IFF_UP = 1
const RTEXT_FILTER_SKIP_STATS = 8

function link(writer: MessageWriter, type: number, index: number, body?: () => void, flags = 0, mask = 0): void {
  // struct ifinfomsg: family, pad, device type, index, flags, mask of the flags that change
  writer.begin(type, NLM_F_ACK).u8(AF_UNSPEC).u8(0).u16(0).i32(index).u32(flags).u32(mask)
  body?.()
  writer.end()
}

export const askLink = (writer: MessageWriter, index: number): void =>
  link(writer, RTM_GETLINK, index, () => writer.attrU32(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS))

export const renameLink = (writer: MessageWriter, index: number, name: string): void =>
  link(writer, RTM_NEWLINK, index, () => writer.attrString(IFLA_IFNAME, name))

export const setLinkUp = (writer: MessageWriter, index: number, up: boolean): void =>
  link(writer, RTM_NEWLINK, index, undefined, up ? IFF_UP : 0, IFF_UP)

export const setLinkGroup = (writer: MessageWriter, index: number, group: number): void =>
  link(writer, RTM_NEWLINK, index, () => writer.attrU32(IFLA_GROUP, group))

export const deleteLink = (writer: MessageWriter, index: number): void => link(writer, RTM_DELLINK, index)

/** Every link of the group goes, and the kernel waits once for all of them. */
export const deleteLinkGroup = (writer: MessageWriter, group: number): void =>
  link(writer, RTM_DELLINK, 0, () => writer.attrU32(IFLA_GROUP, group))

export interface LinkSummary {
  index: number
  name: string
  /** Absent for what no driver made by request: loopback, hardware. Such a link cannot be deleted. */
  kind?: string
  up: boolean
}

/** @returns undefined for a message that describes no link */
export function linkSummary({ type, payload }: Message): LinkSummary | undefined {
  if (type !== RTM_NEWLINK || payload.length < 16) return undefined
  const attributes = attributeMap(payload, 16)
  const info = attributes.get(IFLA_LINKINFO)
  const kind = info === undefined ? undefined : attributeMap(info).get(IFLA_INFO_KIND)
  return {
    index: i32(payload, 4),
    name: text(attributes.get(IFLA_IFNAME) ?? new Uint8Array()),
    kind: kind === undefined ? undefined : text(kind),
    up: (i32(payload, 8) & IFF_UP) !== 0,
  }
}
