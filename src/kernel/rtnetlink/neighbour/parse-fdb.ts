import type { FdbObject } from '../../../contracts/kernel-objects.js'
import { ipToText, macToText } from '../../addresses.js'
import { attributeTable, i32, u16, u16be, u32, u8 } from '../../netlink/reader.js'
import { AF_BRIDGE } from '../message-types.js'
import * as nd from './message.js'

const NOTHING = new Uint8Array(0)

/** A forwarding entry, its link by index. */
export type FdbFacts = Omit<FdbObject, 'kind' | 'at' | 'link'> & { index: number }

/** Pure. @param payload of RTM_NEWNEIGH in family AF_BRIDGE: struct ndmsg and attributes */
export function parseFdb(payload: Uint8Array): FdbFacts | undefined {
  if (payload.length < nd.NEIGHBOUR_HEADER || u8(payload) !== AF_BRIDGE) return undefined
  const table = attributeTable(payload, nd.NEIGHBOUR_HEADER, nd.NDA_MASTER)
  const mac = macToText(table[nd.NDA_LLADDR] ?? NOTHING)
  if (mac === '') return undefined
  const facts: FdbFacts = { index: i32(payload, 4), mac }
  const destination = ipToText(table[nd.NDA_DST] ?? NOTHING)
  if (destination !== '') facts.destination = destination
  if (table[nd.NDA_PORT] !== undefined) facts.port = u16be(table[nd.NDA_PORT])
  if (table[nd.NDA_VNI] !== undefined) facts.vni = u32(table[nd.NDA_VNI])
  if (table[nd.NDA_VLAN] !== undefined) facts.vlan = u16(table[nd.NDA_VLAN])
  // Entries of a bridge name it, those of the device itself do not; the bridge's own belong to both.
  const master = table[nd.NDA_MASTER]
  if (master !== undefined && u32(master) !== facts.index) facts.table = 'master'
  const state = u16(payload, 8)
  // bridge(8) sets both of the others where it is told neither.
  if ((state & nd.NUD_PERMANENT) === 0) facts.state = state & nd.NUD_NOARP ? 'noarp' : 'reachable'
  return facts
}
