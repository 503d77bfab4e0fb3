import { attributeTable, u16, u16be, u32 } from '../../netlink/reader.js'
import { integer, numberOf, wordOf } from '../input.js'
import type { MessageWriter } from '../../netlink/writer.js'
import type { LinkKind, LinkOf } from './kind.js'
import { sameParent, unchangeable } from './unchangeable.js'

const IFLA_VLAN_ID = 1
const IFLA_VLAN_FLAGS = 2
const IFLA_VLAN_PROTOCOL = 5
const VLAN_FLAG_LOOSE_BINDING = 4
const LARGEST_ID = 4094
const PROTOCOL = { '802.1Q': 0x8100, '802.1ad': 0x88a8 } as const
const DEFAULT_PROTOCOL = '802.1Q'

export const vlan: LinkKind<LinkOf<'vlan'>> = {
  options: ['parent', 'id', 'protocol', 'looseBinding'],
  write(writer, link) {
    writer.attrU16(IFLA_VLAN_ID, integer(link.id, 'id', LARGEST_ID))
    writer.attrU16be(IFLA_VLAN_PROTOCOL, numberOf(link.protocol ?? DEFAULT_PROTOCOL, PROTOCOL, 'protocol'))
    if (link.looseBinding !== undefined) writeBinding(writer, link.looseBinding)
  },
  differs(from, to) {
    if (!sameParent(from, to)) throw unchangeable(to, 'the parent')
    if (from.id !== to.id || (from.protocol ?? DEFAULT_PROTOCOL) !== (to.protocol ?? DEFAULT_PROTOCOL))
      throw unchangeable(to, 'id and protocol')
    return isLoose(from) !== isLoose(to)
  },
  writeChanges(writer, from, to) {
    if (isLoose(from) !== isLoose(to)) writeBinding(writer, isLoose(to))
  },
  parse(data) {
    const table = attributeTable(data, 0, IFLA_VLAN_PROTOCOL)
    const fields: Record<string, unknown> = { id: u16(table[IFLA_VLAN_ID] ?? NOTHING) }
    const protocol = wordOf(u16be(table[IFLA_VLAN_PROTOCOL] ?? NOTHING), PROTOCOL)
    if (protocol !== undefined && protocol !== DEFAULT_PROTOCOL) fields.protocol = protocol
    const flags = table[IFLA_VLAN_FLAGS]
    if (flags !== undefined && (u32(flags) & VLAN_FLAG_LOOSE_BINDING) !== 0) fields.looseBinding = true
    return { fields }
  },
}

const isLoose = ({ looseBinding = false }: LinkOf<'vlan'>): boolean => looseBinding

/** struct ifla_vlan_flags: flags and mask. */
function writeBinding(writer: MessageWriter, loose: boolean): void {
  const bytes = new Uint8Array(new Uint32Array([loose ? VLAN_FLAG_LOOSE_BINDING : 0, VLAN_FLAG_LOOSE_BINDING]).buffer)
  writer.attrBytes(IFLA_VLAN_FLAGS, bytes)
}

const NOTHING = new Uint8Array(0)
