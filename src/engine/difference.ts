import type { KernelObject, LinkObject } from '../contracts/kernel-objects.js'
import type { Operation } from '../contracts/operations.js'
import { linkOf } from '../contracts/link-of.js'
import { canonical } from './canonical.js'
import { order } from './order.js'

/** One object as it is and as it should be; absent: not there. */
export interface Transition {
  from: KernelObject | undefined
  to: KernelObject | undefined
}

/**
 * The operations that lead from one state to another, in order, and no more of them than needed: what goes with its
 * link or its namespace is not removed by itself.
 */
export function difference(transitions: readonly Transition[]): Operation[] {
  const operations: Operation[] = []
  const goneLinks = new Set<string>()
  const goneNamespaces = new Set<string>()
  for (const { from, to } of transitions) {
    for (const operation of steps(from, to)) {
      operations.push(operation)
      if (operation.do !== 'delete') continue
      const { object } = operation
      if (object.kind === 'namespace') goneNamespaces.add(object.at)
      if (object.kind === 'link') for (const name of linkNames(object)) goneLinks.add(name)
    }
  }
  const needed = operations.filter((operation) => operation.do !== 'delete' || !goesAnyway(operation.object, goneLinks, goneNamespaces))
  return order(needed)
}

function steps(from: KernelObject | undefined, to: KernelObject | undefined): Operation[] {
  const create: Operation[] = to === undefined ? [] : creation(to)
  const remove: Operation[] = from === undefined ? [] : [{ do: 'delete', object: from, missing: 'ignore' }]
  if (from === undefined || to === undefined) return [...remove, ...create]
  if (canonical(from) === canonical(to)) return []
  if (from.kind === 'link' && to.kind === 'link' && replacesLink(from, to)) return [...remove, ...create]
  return [{ do: 'change', from, to }]
}

/** Links onto a network that is somebody else's, who must not be heard before sysctls and addresses say so. */
const OPENED_LATE: ReadonlySet<LinkObject['type']> = new Set<LinkObject['type']>(['macvlan', 'ipvlan', 'vlan'])

function creation(object: KernelObject): Operation[] {
  if (object.kind !== 'link' || !OPENED_LATE.has(object.type) || object.up === false) return [{ do: 'create', object }]
  const down = { ...object, up: false }
  return [
    { do: 'create', object: down },
    { do: 'change', from: down, to: object },
  ]
}

/** Whether one link can become the other only by being made anew: what the kernel cannot change on a living link. */
export function replacesLink(from: LinkObject, to: LinkObject): boolean {
  return canonical(fixedPart(from)) !== canonical(fixedPart(to))
}

function fixedPart(link: LinkObject): unknown {
  switch (link.type) {
    case 'veth':
      return [link.type, link.peer.at, link.peer.name]
    case 'vxlan':
      return [link.type, link.vxlan.id, link.vxlan.port, link.parent, link.underlay]
    case 'vlan':
      return [link.type, link.id, link.protocol, link.parent]
    case 'macvlan':
    case 'ipvlan':
      return [link.type, link.parent]
    case 'vrf':
      return [link.type, link.table]
    default:
      return [link.type]
  }
}

function linkNames(link: LinkObject): string[] {
  if (link.type === 'existing') return []
  const names = [`${link.at} ${link.name}`]
  if (link.type === 'veth') names.push(`${link.peer.at} ${link.peer.name}`)
  return names
}

function reachesOut(object: KernelObject, goneNamespaces: Set<string>): boolean {
  if (object.kind !== 'link' || !('parent' in object) || object.parent === undefined) return false
  return !goneNamespaces.has(object.parent.at ?? object.at)
}

function goesAnyway(object: KernelObject, goneLinks: Set<string>, goneNamespaces: Set<string>): boolean {
  if (object.kind === 'mount' || object.kind === 'namespace') return false
  // A veth whose own end stays behind in a namespace that stays must be removed, wherever its peer is; so must what sits
  // on a device of such a namespace: a program that is still inside would keep it alive.
  if (goneNamespaces.has(object.at)) return !reachesOut(object, goneNamespaces)
  // A sysctl of a vanished link cannot be put back, and need not.
  const link = linkOf(object)
  return link !== undefined && goneLinks.has(`${object.at} ${link}`)
}
