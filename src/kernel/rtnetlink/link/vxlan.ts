import type { VxlanOptions } from '../../../contracts/kernel-objects.js'
import { ipToText, isIpv6Text } from '../../addresses.js'
import type { TransactionContext } from '../../handler.js'
import { attributeTable, u16be, u32 } from '../../netlink/reader.js'
import type { MessageWriter } from '../../netlink/writer.js'
import { attrIp } from '../address-attributes.js'
import { boolean, integer, invalid } from '../input.js'
import {
  optionNames,
  optionsDiffer,
  readOptions,
  refuseUnknown,
  writeChangedOptions,
  writeOptions,
  type OptionField,
} from '../option-fields.js'
import { unchangeable } from './unchangeable.js'
import type { LinkKind, LinkOf } from './kind.js'

const IFLA_VXLAN_ID = 1
const IFLA_VXLAN_GROUP = 2
const IFLA_VXLAN_LINK = 3
const IFLA_VXLAN_LOCAL = 4
const IFLA_VXLAN_PORT = 15
const IFLA_VXLAN_GROUP6 = 16
const IFLA_VXLAN_LOCAL6 = 17
const IFLA_VXLAN_GBP = 23
const LARGEST_ID = 0xffffff
/** IANA's; the kernel's own default is an older one, so the port is always sent. */
const PORT = 4789

const FIELDS: readonly OptionField<keyof VxlanOptions & string>[] = [
  { key: 'ttl', attribute: 5, width: 'u8', initial: 0 },
  { key: 'tos', attribute: 6, width: 'u8', initial: 0 },
  { key: 'learning', attribute: 7, width: 'u8', boolean: true, initial: true },
  { key: 'ageing', attribute: 8, width: 'u32', initial: 300 },
  { key: 'proxy', attribute: 11, width: 'u8', boolean: true, initial: false },
  { key: 'l2miss', attribute: 13, width: 'u8', boolean: true, initial: false },
  { key: 'l3miss', attribute: 14, width: 'u8', boolean: true, initial: false },
  { key: 'udpChecksum', attribute: 18, width: 'u8', boolean: true, initial: true },
  { key: 'udp6ZeroChecksumTx', attribute: 19, width: 'u8', boolean: true, initial: false },
  { key: 'udp6ZeroChecksumRx', attribute: 20, width: 'u8', boolean: true, initial: false },
]
const NAMES = optionNames(FIELDS, 'id', 'port', 'local', 'remote', 'gbp')

export const vxlan: LinkKind<LinkOf<'vxlan'>> = {
  options: ['vxlan', 'parent', 'underlay'],
  write(writer, { vxlan: options, at, parent, underlay }, context) {
    refuseUnknown(options, NAMES, 'a vxlan')
    const place = parent?.at ?? underlay ?? at
    if (underlay !== undefined && underlay !== place)
      throw invalid('underlay', `the parent is in ${place}, and the UDP socket of a vxlan is where its parent is`)
    writer.attrU32(IFLA_VXLAN_ID, integer(options.id, 'id', LARGEST_ID))
    writer.attrU16be(IFLA_VXLAN_PORT, integer(options.port ?? PORT, 'port', 0xffff))
    if (options.local !== undefined) attrAddress(writer, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6, options.local, 'local')
    if (options.remote !== undefined) attrAddress(writer, IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6, options.remote, 'remote')
    if (parent !== undefined) writer.attrU32(IFLA_VXLAN_LINK, context.linkIndex(place, parent.name))
    if (options.gbp !== undefined && boolean(options.gbp, 'gbp')) writer.attrFlag(IFLA_VXLAN_GBP)
    writeOptions(writer, FIELDS, options)
  },
  differs(from, to) {
    const [a, b] = [from.vxlan, to.vxlan]
    if (a.id !== b.id || (a.port ?? PORT) !== (b.port ?? PORT)) throw unchangeable(to, 'id and port')
    if ((a.gbp ?? false) !== (b.gbp ?? false)) throw unchangeable(to, 'gbp')
    if ((from.parent?.at ?? from.underlay ?? from.at) !== (to.parent?.at ?? to.underlay ?? to.at)) throw unchangeable(to, 'underlay')
    return a.local !== b.local || a.remote !== b.remote || from.parent?.name !== to.parent?.name || optionsDiffer(FIELDS, a, b)
  },
  writeChanges(writer, from, to, context) {
    refuseUnknown(to.vxlan, NAMES, 'a vxlan')
    writeChangedAddress(writer, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6, from.vxlan.local, to.vxlan.local, 'local')
    writeChangedAddress(writer, IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6, from.vxlan.remote, to.vxlan.remote, 'remote')
    writeChangedParent(writer, from, to, context)
    writeChangedOptions(writer, FIELDS, from.vxlan, to.vxlan)
  },
  parse(data) {
    const table = attributeTable(data, 0, IFLA_VXLAN_GBP)
    const options: VxlanOptions = { id: read(table[IFLA_VXLAN_ID], u32) }
    const port = read(table[IFLA_VXLAN_PORT], u16be)
    if (port !== PORT) options.port = port
    const local = address(table[IFLA_VXLAN_LOCAL] ?? table[IFLA_VXLAN_LOCAL6])
    if (local !== undefined) options.local = local
    const remote = address(table[IFLA_VXLAN_GROUP] ?? table[IFLA_VXLAN_GROUP6])
    if (remote !== undefined) options.remote = remote
    if (table[IFLA_VXLAN_GBP] !== undefined) options.gbp = true
    Object.assign(options, readOptions(FIELDS, table))
    const parentIndex = read(table[IFLA_VXLAN_LINK], u32)
    return { fields: { vxlan: options }, parentIndex: parentIndex === 0 ? undefined : parentIndex }
  },
}

function attrAddress(writer: MessageWriter, four: number, six: number, text: string, field: string): void {
  attrIp(writer, isIpv6Text(text) ? six : four, text, field)
}

function writeChangedAddress(
  writer: MessageWriter,
  four: number,
  six: number,
  from: string | undefined,
  to: string | undefined,
  field: string,
): void {
  if (from === to) return
  // The unspecified address takes it away.
  attrAddress(writer, four, six, to ?? (from !== undefined && isIpv6Text(from) ? '::' : '0.0.0.0'), field)
}

function writeChangedParent(writer: MessageWriter, from: LinkOf<'vxlan'>, to: LinkOf<'vxlan'>, context: TransactionContext): void {
  if (from.parent?.name === to.parent?.name) return
  writer.attrU32(IFLA_VXLAN_LINK, to.parent === undefined ? 0 : context.linkIndex(to.parent.at ?? to.underlay ?? to.at, to.parent.name))
}

const read = (bytes: Uint8Array | undefined, as: (bytes: Uint8Array) => number): number => (bytes === undefined ? 0 : as(bytes))

const address = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : ipToText(bytes) || undefined)
