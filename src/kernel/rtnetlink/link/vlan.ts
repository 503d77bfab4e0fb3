import { attributeTable, u16, u16be } from '../../netlink/reader.js'
import { integer, numberOf, wordOf } from '../input.js'
import type { LinkKind, LinkOf } from './kind.js'
import { sameParent, unchangeable } from './unchangeable.js'

const IFLA_VLAN_ID = 1
const IFLA_VLAN_PROTOCOL = 5
const LARGEST_ID = 4094
const PROTOCOL = { '802.1Q': 0x8100, '802.1ad': 0x88a8 } as const
const DEFAULT_PROTOCOL = '802.1Q'

export const vlan: LinkKind<LinkOf<'vlan'>> = {
  options: ['parent', 'id', 'protocol'],
  write(writer, link) {
    writer.attrU16(IFLA_VLAN_ID, integer(link.id, 'id', LARGEST_ID))
    writer.attrU16be(IFLA_VLAN_PROTOCOL, numberOf(link.protocol ?? DEFAULT_PROTOCOL, PROTOCOL, 'protocol'))
  },
  differs(from, to) {
    if (!sameParent(from, to)) throw unchangeable(to, 'the parent')
    if (from.id !== to.id || (from.protocol ?? DEFAULT_PROTOCOL) !== (to.protocol ?? DEFAULT_PROTOCOL))
      throw unchangeable(to, 'id and protocol')
    return false
  },
  parse(data) {
    const table = attributeTable(data, 0, IFLA_VLAN_PROTOCOL)
    const fields: Record<string, unknown> = { id: u16(table[IFLA_VLAN_ID] ?? NOTHING) }
    const protocol = wordOf(u16be(table[IFLA_VLAN_PROTOCOL] ?? NOTHING), PROTOCOL)
    if (protocol !== undefined && protocol !== DEFAULT_PROTOCOL) fields.protocol = protocol
    return { fields }
  },
}

const NOTHING = new Uint8Array(0)
