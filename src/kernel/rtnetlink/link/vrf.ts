import { attributeTable, u32 } from '../../netlink/reader.js'
import { integer } from '../input.js'
import type { LinkKind, LinkOf } from './kind.js'
import { unchangeable } from './unchangeable.js'

const IFLA_VRF_TABLE = 1

export const vrf: LinkKind<LinkOf<'vrf'>> = {
  options: ['table'],
  write(writer, link) {
    writer.attrU32(IFLA_VRF_TABLE, integer(link.table, 'table', undefined, 1))
  },
  differs(from, to) {
    if (from.table !== to.table) throw unchangeable(to, 'the table')
    return false
  },
  parse: (data) => ({ fields: { table: u32(attributeTable(data, 0, IFLA_VRF_TABLE)[IFLA_VRF_TABLE] ?? new Uint8Array(0)) } }),
}
