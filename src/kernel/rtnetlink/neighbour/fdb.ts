import type { FdbObject, Place } from '../../../contracts/kernel-objects.js'
import { canonicalIp } from '../../addresses.js'
import { NETLINK_ROUTE, type ObjectHandler, type TransactionContext } from '../../handler.js'
import { NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, type MessageWriter } from '../../netlink/writer.js'
import { attrIp, attrMac } from '../address-attributes.js'
import { creationFlags } from '../creation-flags.js'
import { inNamespace } from '../describe-place.js'
import { integer, numberOf, refuseUnknown } from '../input.js'
import { linkNames } from '../link-names.js'
import { AF_BRIDGE, RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from '../message-types.js'
import * as nd from './message.js'
import { parseFdb } from './parse-fdb.js'

const STATE = { permanent: nd.NUD_PERMANENT, noarp: nd.NUD_NOARP, reachable: nd.NUD_REACHABLE } as const
const TABLE = { self: nd.NTF_SELF, master: nd.NTF_MASTER } as const
const ALL_ZERO = '00:00:00:00:00:00'
const LARGEST_VLAN = 4094
const LARGEST_VNI = 0xffffff
const NAMES: ReadonlySet<string> = new Set<keyof FdbObject>([
  'kind',
  'at',
  'link',
  'mac',
  'destination',
  'port',
  'vni',
  'vlan',
  'table',
  'state',
])

/**
 * Forwarding entries. Entries of a vxlan for the all-zero MAC or a group are added to each other, one for each
 * destination; to create one that is there leaves it.
 */
export const fdbHandler: ObjectHandler<'fdb'> = {
  create(object, context, replace) {
    refuseUnknown(object, NAMES, 'a forwarding entry')
    write(object, RTM_NEWNEIGH, isList(object) ? NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND : creationFlags(replace), context)
  },
  change(from, to, context) {
    refuseUnknown(to, NAMES, 'a forwarding entry')
    const same = sameEntry(from, to)
    if (same && !isList(to) && (to.destination !== undefined || from.destination === undefined))
      return write(to, RTM_NEWNEIGH, creationFlags(true), context)
    write(from, RTM_DELNEIGH, NLM_F_ACK, context)
    write(to, RTM_NEWNEIGH, isList(to) ? NLM_F_ACK | NLM_F_CREATE | NLM_F_APPEND : creationFlags(false), context)
  },
  remove: (object, context) => write(object, RTM_DELNEIGH, NLM_F_ACK, context),
  list: listFdb,
  describe: (action, { at, link, mac, destination, vlan, table = 'self' }) => {
    const details = `${destination === undefined ? '' : ` dst ${destination}`}${vlan === undefined ? '' : ` vlan ${vlan}`}`
    return `${inNamespace('bridge', at)} fdb ${VERB[action]} ${mac} dev ${link}${details} ${table}`
  },
}

const VERB = { create: 'add', change: 'replace', delete: 'delete' } as const

function listFdb(at: Place, context: TransactionContext): FdbObject[] {
  const nameOf = linkNames(at, context)
  // struct ndmsg
  const body = (writer: MessageWriter): MessageWriter => writer.u8(AF_BRIDGE).u8(0).u16(0).i32(0).u16(0).u8(0).u8(0)
  const found = context.socket(at, NETLINK_ROUTE).dump(RTM_GETNEIGH, body, ({ payload }) => parseFdb(payload))
  return found.flatMap(({ index, ...fields }) => {
    const link = nameOf(index)
    return link === undefined ? [] : [{ kind: 'fdb', at, link, ...fields } as const]
  })
}

function write(object: FdbObject, type: number, flags: number, context: TransactionContext): void {
  const { at, link, mac, destination, port, vni, vlan, table = 'self', state = 'permanent' } = object
  const index = context.linkIndex(at, link)
  const writer = context.writer(at, NETLINK_ROUTE)
  nd.beginNeighbour(writer, type, flags, AF_BRIDGE, index, numberOf(state, STATE, 'state'), numberOf(table, TABLE, 'table'))
  attrMac(writer, nd.NDA_LLADDR, mac, 'mac')
  if (destination !== undefined) attrIp(writer, nd.NDA_DST, destination, 'destination')
  if (port !== undefined) writer.attrU16be(nd.NDA_PORT, integer(port, 'port', 0xffff))
  if (vni !== undefined) writer.attrU32(nd.NDA_VNI, integer(vni, 'vni', LARGEST_VNI))
  if (vlan !== undefined) writer.attrU16(nd.NDA_VLAN, integer(vlan, 'vlan', LARGEST_VLAN, 1))
  writer.end()
}

/** Whether the entry is one of several destinations of its MAC. */
const isList = ({ mac, table = 'self', destination }: FdbObject): boolean =>
  table === 'self' && destination !== undefined && (mac === ALL_ZERO || (parseInt(mac.slice(0, 2), 16) & 1) === 1)

const sameEntry = (from: FdbObject, to: FdbObject): boolean =>
  from.at === to.at &&
  from.link === to.link &&
  from.mac.toLowerCase() === to.mac.toLowerCase() &&
  from.vlan === to.vlan &&
  (from.table ?? 'self') === (to.table ?? 'self') &&
  (!isList(to) ||
    (from.destination !== undefined && to.destination !== undefined && canonicalIp(from.destination) === canonicalIp(to.destination)))
