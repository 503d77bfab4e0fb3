import type { AddressObject } from '../../../contracts/kernel-objects.js'
import { AF_INET6, ipToText } from '../../addresses.js'
import { attributeTable, u32, u8 } from '../../netlink/reader.js'
import { wordOf } from '../input.js'
import { IFA_F_NODAD, IFA_F_NOPREFIXROUTE, SCOPE, usualScope } from './message.js'

const HEADER = 8
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
const IFA_FLAGS = 8
const IFA_RT_PRIORITY = 9

/** An address, its link by index. */
export type AddressFacts = Omit<AddressObject, 'kind' | 'at' | 'link'> & { index: number }

/** Pure. @param payload of RTM_NEWADDR: struct ifaddrmsg and attributes */
export function parseAddress(payload: Uint8Array): AddressFacts | undefined {
  if (payload.length < HEADER) return undefined
  const table = attributeTable(payload, HEADER, IFA_RT_PRIORITY)
  const far = ipToText(table[IFA_ADDRESS] ?? NOTHING)
  const own = ipToText(table[IFA_LOCAL] ?? NOTHING) || far
  if (own === '') return undefined
  const facts: AddressFacts = { index: u32(payload, 4), address: `${own}/${u8(payload, 1)}` }
  const scope = wordOf(u8(payload, 3), SCOPE)
  if (scope !== undefined && scope !== usualScope(own)) facts.scope = scope
  if (far !== '' && far !== own) facts.peer = far
  const broadcast = ipToText(table[IFA_BROADCAST] ?? NOTHING)
  if (broadcast !== '') facts.broadcast = broadcast
  const flags = table[IFA_FLAGS] === undefined ? u8(payload, 2) : u32(table[IFA_FLAGS])
  if (flags & IFA_F_NOPREFIXROUTE) facts.noPrefixRoute = true
  if (flags & IFA_F_NODAD && u8(payload, 0) === AF_INET6) facts.noDad = true
  const metric = u32(table[IFA_RT_PRIORITY] ?? NOTHING)
  if (metric !== 0) facts.metric = metric
  return facts
}

const NOTHING = new Uint8Array(0)
