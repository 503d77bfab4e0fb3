/** What links of all types have, and a veth peer too. */
import type { LinkObject, VethPeer } from '../../../contracts/kernel-objects.js'
import type { MessageWriter } from '../../netlink/writer.js'
import { NLA_F_NESTED } from '../../netlink/writer.js'
import { AF_INET6 } from '../../addresses.js'
import { attrMac } from '../address-attributes.js'
import { alias, boolean, integer, invalid, numberOf } from '../input.js'
import {
  ADDRESS_GENERATION,
  IFF_ALLMULTI,
  IFF_NOARP,
  IFF_PROMISC,
  IFF_UP,
  IFLA_ADDRESS,
  IFLA_AF_SPEC,
  IFLA_GROUP,
  IFLA_IFALIAS,
  IFLA_INET6_ADDR_GEN_MODE,
  IFLA_MTU,
  IFLA_TXQLEN,
} from './attributes.js'
import { isNamed } from './unknown.js'

type SettingName =
  | 'mac'
  | 'mtu'
  | 'up'
  | 'master'
  | 'group'
  | 'alias'
  | 'txQueueLength'
  | 'promiscuous'
  | 'allMulticast'
  | 'arp'
  | 'ipv6AddressGeneration'
  | 'unknown'

export type LinkSettings = Pick<LinkObject, SettingName>

export const SETTING_NAMES: readonly string[] = [
  'kind',
  'at',
  'type',
  'name',
  'index',
  'mac',
  'mtu',
  'up',
  'master',
  'group',
  'alias',
  'txQueueLength',
  'promiscuous',
  'allMulticast',
  'arp',
  'ipv6AddressGeneration',
  'unknown',
]
export const PEER_NAMES: ReadonlySet<string> = new Set<keyof VethPeer>([
  'at',
  'name',
  'index',
  'mac',
  'mtu',
  'up',
  'group',
  'alias',
  'ipv6AddressGeneration',
])

const LARGEST_MTU = 0x7fffffff

/** The attributes that the kernel takes along when it makes a link. */
export function writeBirthSettings(writer: MessageWriter, link: LinkSettings): void {
  if (link.mac !== undefined) attrMac(writer, IFLA_ADDRESS, link.mac, 'mac')
  if (link.mtu !== undefined) writer.attrU32(IFLA_MTU, integer(link.mtu, 'mtu', LARGEST_MTU))
  if (link.txQueueLength !== undefined) writer.attrU32(IFLA_TXQLEN, integer(link.txQueueLength, 'txQueueLength'))
  if (link.group !== undefined) writer.attrU32(IFLA_GROUP, integer(link.group, 'group'))
}

/** Whether the link needs a second message: these the kernel only takes from a link that is there. */
export const hasLaterSettings = (link: LinkSettings): boolean =>
  link.alias !== undefined || link.ipv6AddressGeneration !== undefined || link.unknown !== undefined

export function writeLaterSettings(writer: MessageWriter, link: LinkSettings): void {
  if (link.alias !== undefined) writer.attrString(IFLA_IFALIAS, alias(link.alias))
  if (link.ipv6AddressGeneration !== undefined) writeAddressGeneration(writer, link.ipv6AddressGeneration)
  if (link.unknown !== undefined) writeUnknown(writer, link.unknown)
}

/** Writes what differs. What is no longer set returns to the kernel's default where there is one; MAC, MTU and queue length stay. */
export function writeChangedSettings(writer: MessageWriter, from: LinkSettings, to: LinkSettings): void {
  if (to.mac !== undefined && to.mac !== from.mac) attrMac(writer, IFLA_ADDRESS, to.mac, 'mac')
  if (to.mtu !== undefined && to.mtu !== from.mtu) writer.attrU32(IFLA_MTU, integer(to.mtu, 'mtu', LARGEST_MTU))
  if (to.txQueueLength !== undefined && to.txQueueLength !== from.txQueueLength)
    writer.attrU32(IFLA_TXQLEN, integer(to.txQueueLength, 'txQueueLength'))
  if ((to.group ?? 0) !== (from.group ?? 0)) writer.attrU32(IFLA_GROUP, integer(to.group ?? 0, 'group'))
  if ((to.alias ?? '') !== (from.alias ?? '')) writer.attrString(IFLA_IFALIAS, alias(to.alias ?? ''))
  if (generationDiffers(from, to)) writeAddressGeneration(writer, to.ipv6AddressGeneration ?? 'eui64')
  for (const number in to.unknown)
    if (to.unknown[Number(number)] !== from.unknown?.[Number(number)]) writeUnknownOne(writer, number, to.unknown[Number(number)])
}

export const generationDiffers = (from: LinkSettings, to: LinkSettings): boolean =>
  (from.ipv6AddressGeneration ?? 'eui64') !== (to.ipv6AddressGeneration ?? 'eui64')

/** IFF_* flags that the object asks for. */
export const stateOf = (link: LinkSettings): number =>
  (boolean(link.up ?? true, 'up') ? IFF_UP : 0) |
  (boolean(link.promiscuous ?? false, 'promiscuous') ? IFF_PROMISC : 0) |
  (boolean(link.allMulticast ?? false, 'allMulticast') ? IFF_ALLMULTI : 0) |
  (boolean(link.arp ?? true, 'arp') ? 0 : IFF_NOARP)

/** The flags that the object speaks of; the others stay as its type has them. */
export const maskOf = (link: LinkSettings): number =>
  IFF_UP |
  (link.promiscuous === undefined ? 0 : IFF_PROMISC) |
  (link.allMulticast === undefined ? 0 : IFF_ALLMULTI) |
  (link.arp === undefined ? 0 : IFF_NOARP)

/** The flags that differ. @param arp whether links of this type use ARP when nothing is said */
export const changedMask = (from: LinkSettings, to: LinkSettings, arp: boolean): number =>
  ((from.up ?? true) === (to.up ?? true) ? 0 : IFF_UP) |
  ((from.promiscuous ?? false) === (to.promiscuous ?? false) ? 0 : IFF_PROMISC) |
  ((from.allMulticast ?? false) === (to.allMulticast ?? false) ? 0 : IFF_ALLMULTI) |
  ((from.arp ?? arp) === (to.arp ?? arp) ? 0 : IFF_NOARP)

function writeAddressGeneration(writer: MessageWriter, mode: NonNullable<LinkSettings['ipv6AddressGeneration']>): void {
  const spec = writer.nestBegin(IFLA_AF_SPEC | NLA_F_NESTED)
  const inet6 = writer.nestBegin(AF_INET6 | NLA_F_NESTED)
  writer.attrU8(IFLA_INET6_ADDR_GEN_MODE, numberOf(mode, ADDRESS_GENERATION, 'ipv6AddressGeneration'))
  writer.nestEnd(inet6)
  writer.nestEnd(spec)
}

function writeUnknown(writer: MessageWriter, unknown: Readonly<Record<number, string>>): void {
  for (const number in unknown) writeUnknownOne(writer, number, unknown[number])
}

function writeUnknownOne(writer: MessageWriter, number: string, hex: string | undefined): void {
  const attribute = integer(Number(number), 'unknown', 0x3fff, 1)
  if (isNamed(attribute)) throw invalid('unknown', `attribute ${attribute} has an option of its own, or cannot be set`)
  const bytes = Buffer.from(hex ?? '', 'hex')
  if (typeof hex !== 'string' || bytes.length * 2 !== hex.length) throw invalid('unknown', `${JSON.stringify(hex)} is not hex`)
  writer.attrBytes(attribute, bytes)
}
