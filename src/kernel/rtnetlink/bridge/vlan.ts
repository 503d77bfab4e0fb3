import type { BridgeVlanObject, Place } from '../../../contracts/kernel-objects.js'
import { NETLINK_ROUTE, type ObjectHandler, type TransactionContext } from '../../handler.js'
import { attributes, attributeTable, i32, u16, u32 } from '../../netlink/reader.js'
import { NLA_F_NESTED, NLM_F_ACK, type MessageWriter } from '../../netlink/writer.js'
import { inNamespace } from '../describe-place.js'
import { boolean, integer, invalid, refuseUnknown } from '../input.js'
import { IFLA_AF_SPEC, IFLA_MASTER, LINK_HEADER, RTEXT_FILTER_BRVLAN_COMPRESSED } from '../link/attributes.js'
import { beginLink } from '../link/message.js'
import { linkNames } from '../link-names.js'
import { AF_BRIDGE, RTM_DELLINK, RTM_SETLINK } from '../message-types.js'
import { dumpBridge } from './port.js'

/** linux/if_bridge.h */
const IFLA_BRIDGE_FLAGS = 0
const IFLA_BRIDGE_VLAN_INFO = 2
const BRIDGE_FLAGS_SELF = 2
const PVID = 2
const UNTAGGED = 4
const RANGE_BEGIN = 8
const RANGE_END = 16
const LARGEST_ID = 4094
const NAMES: ReadonlySet<string> = new Set<keyof BridgeVlanObject>(['kind', 'at', 'link', 'id', 'end', 'pvid', 'untagged', 'self', 'alone'])

/** VLANs of bridge ports. The kernel does not mind one that is there already: it gets the flags of the new one. */
export const bridgeVlanHandler: ObjectHandler<'bridge-vlan'> = {
  create(vlan, context) {
    send(vlan, RTM_SETLINK, context)
    if (boolean(vlan.alone ?? false, 'alone')) leaveOthers(vlan, context)
  },
  change(from, to, context) {
    const same =
      from.at === to.at && from.link === to.link && from.id === to.id && from.end === to.end && (from.self ?? false) === (to.self ?? false)
    if (!same) send(from, RTM_DELLINK, context)
    else if ((from.pvid ?? false) === (to.pvid ?? false) && (from.untagged ?? false) === (to.untagged ?? false)) return
    send(to, RTM_SETLINK, context)
  },
  remove: (vlan, context) => send(vlan, RTM_DELLINK, context),
  list: listVlans,
  describe: (action, { at, link, id, end, pvid, untagged, self }) => {
    const flags = `${pvid === true ? ' pvid' : ''}${untagged === true ? ' untagged' : ''}${self === true ? ' self' : ''}`
    return `${inNamespace('bridge', at)} vlan ${action === 'delete' ? 'del' : 'add'} dev ${link} vid ${id}${end === undefined ? '' : `-${end}`}${flags}`
  },
}

function leaveOthers(vlan: BridgeVlanObject, context: TransactionContext): void {
  const { link, id, end = id, self = false } = vlan
  for (const other of listVlans(vlan.at, context)) {
    if (other.link !== link || (other.self ?? false) !== self || (other.id >= id && (other.end ?? other.id) <= end)) continue
    send(other, RTM_DELLINK, context)
  }
}

function send(vlan: BridgeVlanObject, type: number, context: TransactionContext): void {
  refuseUnknown(vlan, NAMES, 'a bridge VLAN')
  const { at, link, id, end } = vlan
  integer(id, 'id', LARGEST_ID, 1)
  const flags = (boolean(vlan.pvid ?? false, 'pvid') ? PVID : 0) | (boolean(vlan.untagged ?? false, 'untagged') ? UNTAGGED : 0)
  if (end !== undefined && vlan.pvid === true) throw invalid('pvid', 'a range of VLANs cannot be the one for untagged frames')
  const index = context.linkIndex(at, link)
  const writer = context.writer(at, NETLINK_ROUTE)
  beginLink(writer, type, NLM_F_ACK, index, 0, 0, AF_BRIDGE)
  const spec = writer.nestBegin(IFLA_AF_SPEC | NLA_F_NESTED)
  if (boolean(vlan.self ?? false, 'self')) writer.attrU16(IFLA_BRIDGE_FLAGS, BRIDGE_FLAGS_SELF)
  if (end === undefined || end === id) writeInfo(writer, flags, id)
  else {
    writeInfo(writer, flags | RANGE_BEGIN, id)
    writeInfo(writer, flags | RANGE_END, integer(end, 'end', LARGEST_ID, id))
  }
  writer.nestEnd(spec)
  writer.end()
}

/** struct bridge_vlan_info: flags, id. */
function writeInfo(writer: MessageWriter, flags: number, id: number): void {
  const info = writer.nestBegin(IFLA_BRIDGE_VLAN_INFO)
  writer.u16(flags).u16(id)
  writer.nestEnd(info)
}

function listVlans(at: Place, context: TransactionContext): BridgeVlanObject[] {
  const nameOf = linkNames(at, context)
  return dumpBridge(at, context, RTEXT_FILTER_BRVLAN_COMPRESSED, parseVlans).flatMap(({ index, vlans }) => {
    const link = nameOf(index)
    return link === undefined ? [] : vlans.map((vlan) => ({ kind: 'bridge-vlan', at, link, ...vlan }) as const)
  })
}

type VlanFacts = Omit<BridgeVlanObject, 'kind' | 'at' | 'link'>

/** Pure. @param payload of RTM_NEWLINK in family AF_BRIDGE */
export function parseVlans(payload: Uint8Array): { index: number; vlans: VlanFacts[] } | undefined {
  if (payload.length < LINK_HEADER) return undefined
  const table = attributeTable(payload, LINK_HEADER, IFLA_AF_SPEC)
  const spec = table[IFLA_AF_SPEC]
  if (spec === undefined) return undefined
  const index = i32(payload, 4)
  const master = table[IFLA_MASTER]
  const self = master === undefined || u32(master) === index
  const vlans: VlanFacts[] = []
  let begin = 0
  for (const { type, value } of attributes(spec)) {
    if (type !== IFLA_BRIDGE_VLAN_INFO) continue
    const [flags, id] = [u16(value), u16(value, 2)]
    if (flags & RANGE_BEGIN) {
      begin = id
      continue
    }
    const vlan: VlanFacts = flags & RANGE_END ? { id: begin, end: id } : { id }
    if (flags & PVID) vlan.pvid = true
    if (flags & UNTAGGED) vlan.untagged = true
    if (self) vlan.self = true
    vlans.push(vlan)
  }
  return { index, vlans }
}
