import type { NeighbourObject } from '../../../contracts/kernel-objects.js'
import { AF_INET, AF_INET6, ipToText, macToText } from '../../addresses.js'
import { attributeTable, i32, u16, u8 } from '../../netlink/reader.js'
import * as nd from './message.js'

const NOTHING = new Uint8Array(0)

/** A neighbour, its link by index. */
export type NeighbourFacts = Omit<NeighbourObject, 'kind' | 'at' | 'link'> & { index: number }

/**
 * Pure. `undefined` for what is no knowledge of anybody (incomplete, failed) and for what the kernel keeps by itself:
 * entries that need no resolution, for multicast, broadcast and links without addresses.
 * @param payload of RTM_NEWNEIGH: struct ndmsg and attributes
 */
export function parseNeighbour(payload: Uint8Array): NeighbourFacts | undefined {
  const family = u8(payload)
  if (payload.length < nd.NEIGHBOUR_HEADER || (family !== AF_INET && family !== AF_INET6)) return undefined
  const table = attributeTable(payload, nd.NEIGHBOUR_HEADER, nd.NDA_LLADDR)
  const address = ipToText(table[nd.NDA_DST] ?? NOTHING)
  if (address === '') return undefined
  const facts: NeighbourFacts = { index: i32(payload, 4), address }
  const flags = u8(payload, 10)
  if (flags & nd.NTF_ROUTER) facts.router = true
  if (flags & nd.NTF_PROXY) {
    facts.proxy = true
    return facts
  }
  const lladdr = table[nd.NDA_LLADDR] ?? NOTHING
  const mac = macToText(lladdr)
  const state = stateOf(u16(payload, 8))
  if (state === undefined || (state === 'noarp' && isByItself(lladdr, table[nd.NDA_DST]!))) return undefined
  if (mac !== '') facts.mac = mac
  if (state !== 'permanent') facts.state = state
  return facts
}

/** Of whom an RTM_NEWNEIGH or RTM_DELNEIGH speaks that says that nothing is known of it (any more). Pure. */
export function parseUnknownNeighbour(payload: Uint8Array): NeighbourFacts | undefined {
  if (payload.length < nd.NEIGHBOUR_HEADER || stateOf(u16(payload, 8)) !== undefined) return undefined
  const address = ipToText(attributeTable(payload, nd.NEIGHBOUR_HEADER, nd.NDA_DST)[nd.NDA_DST] ?? NOTHING)
  return address === '' ? undefined : { index: i32(payload, 4), address }
}

function stateOf(state: number): NonNullable<NeighbourObject['state']> | undefined {
  if (state & nd.NUD_PERMANENT) return 'permanent'
  if (state & nd.NUD_NOARP) return 'noarp'
  if (state & nd.NUD_REACHABLE) return 'reachable'
  // Being checked: what is known is known from before.
  return state & (nd.NUD_STALE | nd.NUD_DELAY | nd.NUD_PROBE) ? 'stale' : undefined
}

function isByItself(lladdr: Uint8Array, address: Uint8Array): boolean {
  const multicast = address.length === 4 ? address[0]! >= 0xe0 : address[0] === 0xff
  const group = ((lladdr[0] ?? 1) & 1) !== 0
  return multicast || group || lladdr.every((byte) => byte === 0)
}
