import type { BridgePortObject, Place } from '../../../contracts/kernel-objects.js'
import { NETLINK_ROUTE, type ObjectHandler, type TransactionContext } from '../../handler.js'
import { attributeTable, i32 } from '../../netlink/reader.js'
import { NLA_F_NESTED, NLM_F_ACK, type MessageWriter } from '../../netlink/writer.js'
import { inNamespace } from '../describe-place.js'
import { refuseUnknown } from '../input.js'
import { IFLA_EXT_MASK, IFLA_LINKINFO, IFLA_PROTINFO, LINK_HEADER, RTEXT_FILTER_SKIP_STATS } from '../link/attributes.js'
import { beginLink } from '../link/message.js'
import { linkNames } from '../link-names.js'
import { AF_BRIDGE, RTM_GETLINK, RTM_SETLINK } from '../message-types.js'
import { optionNames, optionsDiffer, readOptions, writeChangedOptions, writeOptions, type OptionField } from '../option-fields.js'

/** IFLA_BRPORT_* of linux/if_link.h. The cost follows the speed of the link until it is set, and there is no way back. */
const FIELDS: readonly OptionField<keyof BridgePortObject & string>[] = [
  { key: 'priority', attribute: 2, width: 'u16', initial: 32 },
  { key: 'cost', attribute: 3, width: 'u32' },
  { key: 'hairpin', attribute: 4, width: 'u8', boolean: true, initial: false },
  { key: 'guard', attribute: 5, width: 'u8', boolean: true, initial: false },
  { key: 'learning', attribute: 8, width: 'u8', boolean: true, initial: true },
  { key: 'flooding', attribute: 9, width: 'u8', boolean: true, initial: true },
  { key: 'multicastFlooding', attribute: 27, width: 'u8', boolean: true, initial: true },
  { key: 'broadcastFlooding', attribute: 30, width: 'u8', boolean: true, initial: true },
  { key: 'neighbourSuppression', attribute: 32, width: 'u8', boolean: true, initial: false },
  { key: 'isolated', attribute: 33, width: 'u8', boolean: true, initial: false },
  { key: 'locked', attribute: 39, width: 'u8', boolean: true, initial: false },
]
const HIGHEST = 39
const NAMES = optionNames(FIELDS, 'kind', 'at', 'link')

/** A port comes and goes with the master of its link; to create it is to set it up, to remove it to reset it. */
export const bridgePortHandler: ObjectHandler<'bridge-port'> = {
  create: (port, context) => send(port, context, (writer) => writeOptions(writer, FIELDS, port)),
  change(from, to, context) {
    if (from.at !== to.at || from.link !== to.link) send(to, context, (writer) => writeOptions(writer, FIELDS, to))
    else if (optionsDiffer(FIELDS, from, to)) send(to, context, (writer) => writeChangedOptions(writer, FIELDS, from, to))
  },
  remove(port, context) {
    const { kind, at, link } = port
    const reset: BridgePortObject = { kind, at, link, cost: port.cost }
    if (optionsDiffer(FIELDS, port, reset)) send(port, context, (writer) => writeChangedOptions(writer, FIELDS, port, reset))
  },
  list: (at, context) => listPorts(at, context),
  read: ({ at, link }, context) => listPorts(at, context).find((port) => port.link === link),
  describe: (_action, port) => `${inNamespace('bridge', port.at)} link set dev ${port.link}${words(port)}`,
}

function send(port: BridgePortObject, context: TransactionContext, write: (writer: MessageWriter) => void): void {
  refuseUnknown(port, NAMES, 'a bridge port')
  const index = context.linkIndex(port.at, port.link)
  const writer = context.writer(port.at, NETLINK_ROUTE)
  beginLink(writer, RTM_SETLINK, NLM_F_ACK, index, 0, 0, AF_BRIDGE)
  const options = writer.nestBegin(IFLA_PROTINFO | NLA_F_NESTED)
  write(writer)
  writer.nestEnd(options)
  writer.end()
}

function listPorts(at: Place, context: TransactionContext): BridgePortObject[] {
  const nameOf = linkNames(at, context)
  return dumpBridge(at, context, RTEXT_FILTER_SKIP_STATS, parsePort).flatMap(({ index, options }) => {
    const link = nameOf(index)
    return link === undefined ? [] : [{ kind: 'bridge-port', at, link, ...options } as const]
  })
}

/** What bridges and their ports tell in family AF_BRIDGE. @param mask RTEXT_FILTER_* */
export function dumpBridge<T>(at: Place, context: TransactionContext, mask: number, parse: (payload: Uint8Array) => T | undefined): T[] {
  const body = (writer: MessageWriter): MessageWriter => writer.u8(AF_BRIDGE).u8(0).u16(0).i32(0).u32(0).u32(0).attrU32(IFLA_EXT_MASK, mask)
  return context.socket(at, NETLINK_ROUTE).dump(RTM_GETLINK, body, ({ payload }) => (payload[0] === AF_BRIDGE ? parse(payload) : undefined))
}

/** Pure. @param payload of RTM_NEWLINK in family AF_BRIDGE */
export function parsePort(payload: Uint8Array): { index: number; options: Omit<BridgePortObject, 'kind' | 'at' | 'link'> } | undefined {
  if (payload.length < LINK_HEADER) return undefined
  const attributes = attributeTable(payload, LINK_HEADER, IFLA_LINKINFO)
  const port = attributes[IFLA_PROTINFO]
  if (port === undefined) return undefined
  return { index: i32(payload, 4), options: readOptions(FIELDS, attributeTable(port, 0, HIGHEST)) ?? {} }
}

function words(port: BridgePortObject): string {
  return FIELDS.map(({ key }) => (port[key] === undefined ? '' : ` ${key} ${String(port[key])}`)).join('')
}
