import type { Place } from '../../contracts/kernel-objects.js'
import { NETLINK_NETFILTER, NETLINK_ROUTE } from '../handler.js'
import { attributeMap, i32, text, u32, u32be, u8 } from '../netlink/reader.js'
import type { KernelEvent, ObjectEvent, WatchedKind } from './event.js'
import type { Notification } from './event-socket.js'
import { parseNamespaceId } from './namespace-ids.js'
import { READERS } from './objects.js'
import type { Places } from './places.js'

// linux/rtnetlink.h: of each kind, NEW is the first number and DEL the next.
const RTM_NEWLINK = 16
const RTM_NEWADDR = 20
const RTM_NEWROUTE = 24
const RTM_NEWNEIGH = 28
const RTM_NEWRULE = 32
const RTM_DELNSID = 89
const AF_BRIDGE = 7
const RTA_OIF = 4
const RTMSG = 12
const NFT_MSG_NEWGEN = 0x0a0f
const NFGENMSG = 4
const NFTA_GEN_ID = 1
const NFTA_GEN_PROC_PID = 2
const NFTA_GEN_PROC_NAME = 3
const EMPTY = new Uint8Array(0)

interface Told {
  kind: (payload: Uint8Array) => WatchedKind
  /** Interface index, 0 for none. */
  link?: (payload: Uint8Array) => number
}

const LINK: Told = { kind: (payload) => (u8(payload) === AF_BRIDGE ? 'bridge-port' : 'link'), link: (payload) => i32(payload, 4) }
const TOLD = new Map<number, Told>([
  [RTM_NEWLINK, LINK],
  [RTM_NEWADDR, { kind: () => 'address', link: (payload) => u32(payload, 4) }],
  [RTM_NEWROUTE, { kind: () => 'route', link: (payload) => u32(attributeMap(payload, RTMSG).get(RTA_OIF) ?? EMPTY) }],
  [RTM_NEWNEIGH, { kind: (payload) => (u8(payload) === AF_BRIDGE ? 'fdb' : 'neighbour'), link: (payload) => i32(payload, 4) }],
  [RTM_NEWRULE, { kind: () => 'policy-rule' }],
])

/**
 * What a notification says; nothing when it is of no kind that is watched.
 * @param self name of the thread that asks
 */
export function parseEvent({ message, nsid }: Notification, protocol: number, places: Places, self: string): KernelEvent[] {
  const at = places.place(nsid)
  if (protocol === NETLINK_NETFILTER) return nftablesEvent(message.type, message.payload, at, self)
  if (protocol !== NETLINK_ROUTE) return []
  if (message.type === RTM_DELNSID) return namespaceEvent(message.payload, places)
  const removed = (message.type & 3) === 1
  const told = TOLD.get(message.type & ~3)
  if (told === undefined || (message.type & 3) > 1) return []
  const renamed = told === LINK ? places.renamed(at, message.payload) : undefined
  const event = objectEvent(told, message.payload, removed, at, places)
  return renamed === undefined ? [event] : [{ kind: 'link', action: 'removed', at, link: renamed }, event]
}

function objectEvent(told: Told, payload: Uint8Array, removed: boolean, at: Place, places: Places): ObjectEvent {
  const kind = told.kind(payload)
  const name = kind === 'link' ? places.noteLink(at, payload, !removed) : places.linkName(at, told.link?.(payload) ?? 0)
  const event: ObjectEvent = { kind, action: removed ? 'removed' : 'added', at }
  const object = READERS[kind](payload, at, places)
  if (name !== undefined) event.link = name
  if (object !== undefined) event.object = object
  return event
}

function namespaceEvent(payload: Uint8Array, places: Places): KernelEvent[] {
  const id = parseNamespaceId(payload)
  const at = id === undefined ? undefined : places.forget(id)
  return at === undefined ? [] : [{ kind: 'namespace', action: 'removed', at }]
}

function nftablesEvent(type: number, payload: Uint8Array, at: Place, self: string): KernelEvent[] {
  if (type !== NFT_MSG_NEWGEN) return []
  const attributes = attributeMap(payload, NFGENMSG)
  const number = (attribute: number): number => u32be(attributes.get(attribute) ?? EMPTY)
  const program = text(attributes.get(NFTA_GEN_PROC_NAME) ?? EMPTY)
  const [generation, pid] = [number(NFTA_GEN_ID), number(NFTA_GEN_PROC_PID)]
  return [{ kind: 'nftables', action: 'changed', at, generation, pid, program, own: program === self }]
}
