import type { LinkObject } from '../../../contracts/kernel-objects.js'
import { AF_INET6, macToText } from '../../addresses.js'
import { attributes, attributeTable, i32, text, u32, u8 } from '../../netlink/reader.js'
import { wordOf } from '../input.js'
import * as ifla from './attributes.js'
import { choosesArp, hasOwnMac, knownKind, usesArp, usualQueue } from './kinds.js'
import type { LinkSettings } from './settings.js'
import { isNamed, isUnusual } from './unknown.js'

const { ADDRESS_GENERATION, IFF_ALLMULTI, IFF_LOOPBACK, IFF_NOARP, IFF_PROMISC, IFF_UP, LINK_HEADER } = ifla
const NOTHING = new Uint8Array(0)

/** One link as a message of the kernel describes it: other links by index, other namespaces by the kernel's number. */
export interface LinkFacts {
  index: number
  name: string
  up: boolean
  loopback: boolean
  /** IF_OPER_*: 6 is up. */
  operationalState: number
  carrier: boolean
  /** As the kernel calls it (`veth`, `bond`); absent for loopback and hardware. */
  kind?: string
  /** Kind of the master: `bridge`. */
  portOf?: string
  masterIndex?: number
  /** Lower link, or peer of a veth. */
  parentIndex?: number
  /** Namespace of the lower link or peer (for a vxlan, of its socket), by its number here; absent: this one. */
  parentNamespace?: number
  type: LinkObject['type']
  /** Fields of the normal form that the type has, without parent and peer. */
  fields: Record<string, unknown>
  settings: LinkSettings
}

/** Pure. @param payload of RTM_NEWLINK: struct ifinfomsg and attributes */
export function parseLink(payload: Uint8Array): LinkFacts | undefined {
  if (payload.length < LINK_HEADER) return undefined
  const table = attributeTable(payload, LINK_HEADER, ifla.IFLA_LINK_NETNSID)
  const name = table[ifla.IFLA_IFNAME]
  if (name === undefined) return undefined
  const info = attributeTable(table[ifla.IFLA_LINKINFO] ?? NOTHING, 0, ifla.IFLA_INFO_SLAVE_KIND)
  const kindName = textOf(info[ifla.IFLA_INFO_KIND])
  const known = knownKind(kindName)
  const parsed = known?.kind.parse?.(info[ifla.IFLA_INFO_DATA] ?? NOTHING)
  const flags = u32(payload, 8)
  const type = known?.type ?? 'existing'
  return {
    index: i32(payload, 4),
    name: text(name),
    up: (flags & IFF_UP) !== 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    operationalState: u8(table[ifla.IFLA_OPERSTATE] ?? NOTHING),
    carrier: u8(table[ifla.IFLA_CARRIER] ?? NOTHING) !== 0,
    kind: kindName,
    portOf: textOf(info[ifla.IFLA_INFO_SLAVE_KIND]),
    masterIndex: numberOrNone(table[ifla.IFLA_MASTER]),
    // Of a vxlan, IFLA_LINK is the link itself.
    parentIndex: type === 'vxlan' ? parsed?.parentIndex : numberOrNone(table[ifla.IFLA_LINK]),
    parentNamespace: table[ifla.IFLA_LINK_NETNSID] === undefined ? undefined : i32(table[ifla.IFLA_LINK_NETNSID]),
    type,
    fields: parsed?.fields ?? {},
    settings: parseSettings(payload, table, flags, type),
  }
}

/** Settings that are not what a link of this type has anyway. */
function parseSettings(payload: Uint8Array, table: (Uint8Array | undefined)[], flags: number, type: LinkObject['type']): LinkSettings {
  const settings: LinkSettings = {}
  const mac = macToText(table[ifla.IFLA_ADDRESS] ?? NOTHING)
  if (mac !== '' && (flags & IFF_LOOPBACK) === 0 && hasOwnMac(type)) settings.mac = mac
  const mtu = numberOrNone(table[ifla.IFLA_MTU])
  if (mtu !== undefined) settings.mtu = mtu
  if ((flags & IFF_UP) === 0) settings.up = false
  const group = numberOrNone(table[ifla.IFLA_GROUP])
  if (group !== undefined) settings.group = group
  const alias = textOf(table[ifla.IFLA_IFALIAS])
  if (alias !== undefined) settings.alias = alias
  const queue = table[ifla.IFLA_TXQLEN]
  if (queue !== undefined && u32(queue) !== usualQueue(type)) settings.txQueueLength = u32(queue)
  if (flags & IFF_PROMISC) settings.promiscuous = true
  if (flags & IFF_ALLMULTI) settings.allMulticast = true
  const arp = (flags & IFF_NOARP) === 0
  if (arp !== usesArp(type) && choosesArp(type)) settings.arp = arp
  const generation = addressGeneration(table[ifla.IFLA_AF_SPEC])
  if (generation !== undefined && generation !== 'eui64') settings.ipv6AddressGeneration = generation
  const unknown = unknownAttributes(payload)
  if (unknown !== undefined) settings.unknown = unknown
  return settings
}

function addressGeneration(spec: Uint8Array | undefined): LinkSettings['ipv6AddressGeneration'] {
  const inet6 = attributeTable(spec ?? NOTHING, 0, AF_INET6)[AF_INET6]
  const mode = attributeTable(inet6 ?? NOTHING, 0, ifla.IFLA_INET6_ADDR_GEN_MODE)[ifla.IFLA_INET6_ADDR_GEN_MODE]
  return mode === undefined ? undefined : wordOf(u8(mode), ADDRESS_GENERATION)
}

function unknownAttributes(payload: Uint8Array): Record<number, string> | undefined {
  let unknown: Record<number, string> | undefined
  for (const { type, value } of attributes(payload, LINK_HEADER)) {
    if (isNamed(type)) continue
    const hex = Buffer.from(value.buffer, value.byteOffset, value.length).toString('hex')
    if (isUnusual(type, hex)) (unknown ??= {})[type] = hex
  }
  return unknown
}

const textOf = (bytes: Uint8Array | undefined): string | undefined => (bytes === undefined ? undefined : text(bytes) || undefined)

/** Indexes and groups count from 1: 0 is none. */
const numberOrNone = (bytes: Uint8Array | undefined): number | undefined => (bytes === undefined ? undefined : u32(bytes) || undefined)
