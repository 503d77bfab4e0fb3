import type { KernelObject, LinkObject, ObjectOf, Place } from '../../contracts/kernel-objects.js'
import { parseAddress } from '../rtnetlink/address/parse.js'
import { parsePort } from '../rtnetlink/bridge/port.js'
import { parseLink, type LinkFacts } from '../rtnetlink/link/parse.js'
import { parseFdb } from '../rtnetlink/neighbour/parse-fdb.js'
import { parseNeighbour, parseUnknownNeighbour } from '../rtnetlink/neighbour/parse.js'
import { parseRoute, routeObject } from '../rtnetlink/route/parse.js'
import { parseRule } from '../rtnetlink/rule/parse.js'
import type { WatchedKind } from './event.js'
import type { Places } from './places.js'

type Read = (payload: Uint8Array, at: Place, places: Places) => KernelObject | undefined

/** Objects in normal form from the messages that tell of them. No questions are asked, so names may be missing. */
export const READERS: Readonly<Record<WatchedKind, Read>> = {
  link(payload, at, places) {
    const facts = parseLink(payload)
    return facts === undefined ? undefined : linkObject(facts, at, places)
  },
  'bridge-port'(payload, at, places) {
    const port = parsePort(payload)
    return onLink(port === undefined ? undefined : { index: port.index, ...port.options }, at, places, 'bridge-port')
  },
  address: (payload, at, places) => onLink(parseAddress(payload), at, places, 'address'),
  route(payload, at, places) {
    const facts = parseRoute(payload)
    return facts === undefined ? undefined : routeObject(facts, at, (index) => places.linkName(at, index))
  },
  // One that is deleted has failed first: the news says no more than whose it is.
  neighbour: (payload, at, places) => onLink(parseNeighbour(payload) ?? parseUnknownNeighbour(payload), at, places, 'neighbour'),
  fdb: (payload, at, places) => onLink(parseFdb(payload), at, places, 'fdb'),
  'policy-rule'(payload, at) {
    const facts = parseRule(payload)
    return facts === undefined ? undefined : { kind: 'policy-rule', at, ...facts }
  },
}

type OnLink = 'bridge-port' | 'address' | 'neighbour' | 'fdb'
type Facts<K extends OnLink> = Omit<ObjectOf<K>, 'kind' | 'at' | 'link'> & { index: number }

function onLink<K extends OnLink>(facts: Facts<K> | undefined, at: Place, places: Places, kind: K): KernelObject | undefined {
  if (facts === undefined) return undefined
  const { index, ...fields } = facts
  const link = places.linkName(at, index)
  return link === undefined ? undefined : ({ kind, at, link, ...fields } as unknown as KernelObject)
}

/** Like the listing of links, with other ends named where they are known. */
function linkObject(
  { type, name, index, fields, settings, masterIndex, parentIndex, parentNamespace }: LinkFacts,
  at: Place,
  places: Places,
): LinkObject {
  const object: Record<string, unknown> = { kind: 'link', at, type, name, index, ...settings, ...fields }
  const master = masterIndex === undefined ? undefined : places.linkName(at, masterIndex)
  if (master !== undefined) object.master = master
  const otherAt = parentNamespace === undefined ? at : places.place(parentNamespace)
  const other = { at: otherAt, name: (parentIndex === undefined ? undefined : places.linkName(otherAt, parentIndex)) ?? '' }
  if (type === 'veth') object.peer = { ...other, index: parentIndex }
  else if (parentIndex !== undefined && HAS_PARENT.has(type)) object.parent = parentNamespace === undefined ? { name: other.name } : other
  else if (type === 'vxlan' && parentNamespace !== undefined) object.underlay = otherAt
  return object as unknown as LinkObject
}

const HAS_PARENT: ReadonlySet<string> = new Set<LinkObject['type']>(['macvlan', 'ipvlan', 'vlan', 'vxlan'])
