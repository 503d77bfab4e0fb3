import { deepStrictEqual, fail, match, ok, strictEqual } from 'node:assert/strict'
import type { Description } from '../contracts/description.js'
import type { KernelObject, LinkObject, Place, RouteObject } from '../contracts/kernel-objects.js'
import type { EndpointView, HostFacts, NetworkView } from '../contracts/network-driver.js'
import { canonical } from '../engine/canonical.js'
import { identity } from '../engine/identity.js'

/** What holds for every description of every driver. Each rule throws an AssertionError that says what breaks it. */

const LINK_NAME_BYTES = 15
const MAIN_TABLE = 254

export function rulesOfDescriptions(description: Description): void {
  plainData(description)
  nothingTwice([description])
  for (const object of description) for (const name of namesMade(object)) kernelName(name)
}

/** What goes through the store and between threads: JSON, and nothing lost by it. */
function plainData(description: Description): void {
  const copy = JSON.parse(JSON.stringify(description)) as unknown
  strictEqual(canonical(copy), canonical(description), 'a description must survive JSON unchanged')
}

/** Objects of one identity must be described in the same words, and within one description only once. */
export function nothingTwice(descriptions: readonly Description[]): void {
  const known = new Map<string, string>()
  for (const description of descriptions) {
    const own = new Set<string>()
    for (const object of description) {
      const [id, text] = [identity(object), canonical(object)]
      ok(!own.has(id), `described twice: ${id}`)
      own.add(id)
      strictEqual(text, known.get(id) ?? text, `one object in two wordings: ${id}`)
      known.set(id, text)
    }
  }
}

/** Two endpoints of a network are, as a rule, in two sandboxes. */
export const outsideTheSandbox = (description: Description): Description =>
  description.filter((object) => !('at' in object) || object.at !== 'sandbox')

/** A private namespace is one network's own: what is in it may have the same name in another's. */
export const outsidePrivate = (description: Description): Description =>
  description.filter((object) => !('at' in object) || !object.at.startsWith('private:'))

function kernelName(name: string): void {
  ok(new TextEncoder().encode(name).length <= LINK_NAME_BYTES, `${name} is longer than the kernel's ${LINK_NAME_BYTES} bytes`)
  match(name, /^(?!\.{1,2}$)[^/:%\s]+$/, `${name} is no name for a link`)
}

export function placesWithin(description: Description, allowed: readonly ('host' | 'sandbox' | 'private')[]): void {
  for (const object of description) {
    for (const place of placesOf(object)) {
      const kind = place.startsWith('private:') ? 'private' : place
      if (!(allowed as readonly string[]).includes(kind)) fail(`${identity(object)}: place ${place} is not one of ${allowed.join(', ')}`)
    }
  }
}

/** Whatever lives on a link lives on one that is described beside it, by its network, or that the driver says it found. */
export function linksAreKnown(description: Description, network: Description, host: HostFacts): void {
  const known = new Set<string>(['host lo', 'sandbox lo'])
  for (const name of host.links.keys()) known.add(`host ${name}`)
  for (const object of [...network, ...description]) for (const name of endsOf(object)) known.add(name)
  for (const object of description) {
    for (const name of linksUsed(object)) ok(known.has(name), `${identity(object)}: nobody describes the link ${name}`)
  }
}

/** The sandbox gets one link of the name that the core chose. */
export function makesInterface(description: Description, endpoint: EndpointView): void {
  const inner = description.flatMap(innerEnds).filter(({ name }) => name === endpoint.interfaceName)
  strictEqual(inner.length, 1, `one link named ${endpoint.interfaceName} must be made in the sandbox, not ${inner.length}`)
  const { mac } = inner[0]!
  if (mac !== undefined) strictEqual(mac, endpoint.mac, 'the MAC of the interface is the one that the endpoint has')
}

export function carriesAddresses(description: Description, endpoint: EndpointView): void {
  const described = description.flatMap((object) =>
    object.kind === 'address' && object.at === 'sandbox' ? [`${object.link} ${object.address}`] : [],
  )
  for (const { address } of endpoint.addresses) {
    const [host] = address.split('/')
    const found = described.some(
      (text) => text === `${endpoint.interfaceName} ${address}` || text.startsWith(`${endpoint.interfaceName} ${host}/`),
    )
    ok(found, `address ${address} is not on ${endpoint.interfaceName}`)
  }
}

/** Default routes are offers: in the sandbox, in its main table, through the endpoint's interface, one per family. */
export function defaultRoutesAreOffers(description: Description, network: NetworkView, endpoint: EndpointView): void {
  const routes = description.filter((object): object is RouteObject => object.kind === 'route' && isDefault(object))
  const families = routes
    .filter(({ table = MAIN_TABLE }) => table === MAIN_TABLE)
    .map((route) => {
      strictEqual(route.at, 'sandbox', 'a default route outside the sandbox')
      ok(route.link === undefined || route.link === endpoint.interfaceName, `a default route through ${route.link}`)
      return route.family ?? (route.gateway?.includes(':') ? 6 : 4)
    })
  deepStrictEqual(families, [...new Set(families)], 'more than one default route of one family')
  if (network.internal) deepStrictEqual(routes, [], 'an internal network has no way out')
}

const isDefault = ({ destination }: RouteObject): boolean => ['default', '0.0.0.0/0', '::/0'].includes(destination)

/** Names of the links that the description makes (existing ones have the names they have). */
function namesMade(object: KernelObject): string[] {
  if (object.kind !== 'link' || object.type === 'existing') return []
  return object.type === 'veth' ? [object.name, object.peer.name] : [object.name]
}

function innerEnds(object: KernelObject): { name: string; mac?: string }[] {
  if (object.kind !== 'link' || object.type === 'existing') return []
  const ends = object.type === 'veth' ? [object, object.peer] : [object]
  return ends.filter(({ at }) => at === 'sandbox')
}

function endsOf(object: KernelObject): string[] {
  if (object.kind !== 'link' || object.type === 'existing') return []
  return [`${object.at} ${object.name}`, ...(object.type === 'veth' ? [`${object.peer.at} ${object.peer.name}`] : [])]
}

function placesOf(object: KernelObject): Place[] {
  if (object.kind === 'mount') return []
  const places = [object.at]
  if (object.kind === 'link') {
    const parent = parentOf(object)
    if (object.type === 'veth') places.push(object.peer.at)
    if (object.type === 'vxlan' && object.underlay !== undefined) places.push(object.underlay)
    if (parent?.at !== undefined) places.push(parent.at)
  }
  return places
}

const parentOf = (link: LinkObject): { at?: Place; name: string } | undefined => ('parent' in link ? link.parent : undefined)

function linksUsed(object: KernelObject): string[] {
  if (object.kind === 'link') {
    const used = object.type === 'existing' ? [`${object.at} ${object.name}`] : []
    const parent = parentOf(object)
    if (object.master !== undefined) used.push(`${object.at} ${object.master}`)
    if (parent !== undefined) used.push(`${parent.at ?? object.at} ${parent.name}`)
    return used
  }
  return 'link' in object && typeof object.link === 'string' ? [`${object.at} ${object.link}`] : []
}
