/** Device features through generic netlink: ETHTOOL_MSG_FEATURES_GET and _SET of linux/ethtool_netlink.h. */
import { GENL_HEADER, genericHeader } from '../generic-netlink.js'
import { attributeMap, attributes, text, u32 } from '../netlink/reader.js'
import type { MessageWriter } from '../netlink/writer.js'

const ETHTOOL_GENL_VERSION = 1
const ETHTOOL_MSG_FEATURES_GET = 11
const ETHTOOL_MSG_FEATURES_SET = 12
const A_HEADER = 1
const A_HEADER_DEV_INDEX = 1
const A_HEADER_DEV_NAME = 2
const A_FEATURES_HW = 2
const A_FEATURES_WANTED = 3
const A_FEATURES_ACTIVE = 4
const A_FEATURES_NOCHANGE = 5
const A_BITSET_NOMASK = 1
const A_BITSET_BITS = 3
const A_BITSET_BITS_BIT = 1
const A_BIT_INDEX = 1
const A_BIT_NAME = 2
const A_BIT_VALUE = 3

export interface DeviceFeature {
  /** As the kernel names it: `tx-checksum-ip-generic`. */
  name: string
  active: boolean
  /** Can be switched on this device. */
  changeable: boolean
}

export interface DeviceFeatures {
  index: number
  link: string
  features: DeviceFeature[]
}

/** Body of a request for the features of one link. */
export function writeGet(writer: MessageWriter, link: string): void {
  genericHeader(writer, ETHTOOL_MSG_FEATURES_GET, ETHTOOL_GENL_VERSION)
  writer.nest(A_HEADER, () => writer.attrString(A_HEADER_DEV_NAME, link))
}

/** Body of a dump of the features of all links of the namespace. */
export function writeDump(writer: MessageWriter): void {
  genericHeader(writer, ETHTOOL_MSG_FEATURES_GET, ETHTOOL_GENL_VERSION)
  writer.nest(A_HEADER, () => undefined)
}

export function writeSet(writer: MessageWriter, index: number, wanted: Record<string, boolean>): void {
  genericHeader(writer, ETHTOOL_MSG_FEATURES_SET, ETHTOOL_GENL_VERSION)
  writer.nest(A_HEADER, () => writer.attrU32(A_HEADER_DEV_INDEX, index))
  writer.nest(A_FEATURES_WANTED, () => {
    // A list with a mask: bits that are not in it stay as they are.
    writer.nest(A_BITSET_BITS, () => {
      for (const [name, on] of Object.entries(wanted)) {
        writer.nest(A_BITSET_BITS_BIT, () => {
          writer.attrString(A_BIT_NAME, name)
          if (on) writer.attrFlag(A_BIT_VALUE)
        })
      }
    })
  })
}

/** An ETHTOOL_MSG_FEATURES_GET_REPLY; `undefined` when it does not say which link it is about. */
export function parseFeatures(payload: Uint8Array): DeviceFeatures | undefined {
  const parts = attributeMap(payload, GENL_HEADER)
  const header = attributeMap(parts.get(A_HEADER) ?? EMPTY)
  const name = header.get(A_HEADER_DEV_NAME)
  if (name === undefined) return undefined
  const active = bits(parts.get(A_FEATURES_ACTIVE))
  const fixed = bits(parts.get(A_FEATURES_NOCHANGE))
  // The only one of the bitsets that lists the features that are off, too.
  const all = [...bits(parts.get(A_FEATURES_HW))]
  return {
    index: u32(header.get(A_HEADER_DEV_INDEX) ?? EMPTY),
    link: text(name),
    features: all.map(([feature, changeable]) => ({
      name: feature,
      active: active.has(feature),
      changeable: changeable && !fixed.has(feature),
    })),
  }
}

/** The wanted bits of an ETHTOOL_MSG_FEATURES_SET_REPLY: features that the kernel did not set as asked. */
export function parseUnmet(payload: Uint8Array): string[] {
  return [...bits(attributeMap(payload, GENL_HEADER).get(A_FEATURES_WANTED)).keys()]
}

const EMPTY = new Uint8Array(0)

/** Names and values of a bitset in its long form. A list without mask has only the set bits. */
function bits(bitset: Uint8Array | undefined): Map<string, boolean> {
  const found = new Map<string, boolean>()
  if (bitset === undefined) return found
  const parts = attributeMap(bitset)
  const listed = parts.has(A_BITSET_NOMASK)
  for (const { type, value } of attributes(parts.get(A_BITSET_BITS) ?? EMPTY)) {
    if (type !== A_BITSET_BITS_BIT) continue
    const bit = attributeMap(value)
    const name = bit.get(A_BIT_NAME)
    const key = name === undefined ? `bit ${u32(bit.get(A_BIT_INDEX) ?? EMPTY)}` : text(name)
    found.set(key, listed || bit.has(A_BIT_VALUE))
  }
  return found
}
