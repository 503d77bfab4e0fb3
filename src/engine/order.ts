import type { KernelObject, KernelObjectKind } from '../contracts/kernel-objects.js'
import { linkOf } from '../contracts/link-of.js'
import type { Operation } from '../contracts/operations.js'
import { chainTargets } from './identity.js'

/**
 * What must be there before what. The firewall and IPsec come before links, so that nothing is reachable before the rules
 * that guard it; sysctls of a link come after it, others before.
 */
const RANK: Record<KernelObjectKind, number> = {
  namespace: 0,
  mount: 1,
  sysctl: 2,
  'nft-table': 3,
  'nft-set': 4,
  'nft-chain': 5,
  'nft-element': 6,
  'xfrm-state': 7,
  'xfrm-policy': 8,
  link: 10,
  'bridge-port': 12,
  'bridge-vlan': 12,
  features: 12,
  qdisc: 12,
  address: 13,
  neighbour: 14,
  fdb: 14,
  route: 15,
  'policy-rule': 17,
}
const LINK_SYSCTL_RANK = 11
const CONFIGURED_LINK_RANK = 13.5
const GATEWAY_ROUTE_RANK = 16

/** @param made links that the transaction creates, and the inner ends of veth pairs, as `place name` */
function rank(operation: Operation, made: ReadonlySet<string>): number {
  const object = objectOf(operation)
  // A link that is made and then changed is to be opened once it has its sysctls and addresses. The inner end of a pair
  // is described apart from it for that.
  const opens = object.kind === 'link' && (object.type === 'existing' || operation.do === 'change')
  if (opens && made.has(`${object.at} ${object.name}`)) return CONFIGURED_LINK_RANK
  if (object.kind === 'sysctl' && linkOf(object) !== undefined) return LINK_SYSCTL_RANK
  // A route through a gateway needs the route to that gateway first.
  if (object.kind === 'route' && (object.gateway !== undefined || object.nextHops !== undefined)) return GATEWAY_ROUTE_RANK
  return RANK[object.kind]
}

const objectOf = (operation: Operation): KernelObject => (operation.do === 'change' ? operation.to : operation.object)

/**
 * Removing these waits until nothing that is created or changed refers to them any more; and an IPsec state, which nothing
 * brings back, until all of that has succeeded.
 */
const REMOVED_LATE = new Set<KernelObjectKind>(['nft-chain', 'nft-set', 'nft-table', 'xfrm-state'])
const REMOVED_LAST = new Set<KernelObjectKind>(['link', 'namespace'])

/**
 * Puts the operations of one transaction into an order that the kernel accepts: what goes goes first (so that an
 * address or a port can move), except what others may still refer to; then what comes, each after what it needs;
 * links and namespaces go last, but for those whose names are taken by new ones: the kernel thread puts them aside at once.
 */
export function order(operations: readonly Operation[]): Operation[] {
  const leaving: Operation[] = []
  const coming: Operation[] = []
  const late: Operation[] = []
  const last: Operation[] = []
  const aside: Operation[] = []
  const made = new Set(operations.flatMap((operation) => (operation.do === 'create' ? namesOf(operation.object) : [])))
  for (const operation of operations) {
    const object = objectOf(operation)
    const { kind } = object
    if (operation.do !== 'delete') coming.push(operation)
    else if (REMOVED_LAST.has(kind)) (namesOf(object).some((name) => made.has(name)) ? aside : last).push(operation)
    else if (REMOVED_LATE.has(kind)) late.push(operation)
    else leaving.push(operation)
  }
  return [...reversed(sorted(aside)), ...reversed(sorted(leaving)), ...sorted(coming), ...reversed(sorted(late)), ...reversed(sorted(last))]
}

/** Names that a link (both ends of it) or a namespace takes. */
function namesOf(object: KernelObject): string[] {
  if (object.kind === 'namespace') return [object.at]
  if (object.kind !== 'link' || object.type === 'existing') return []
  const own = `${object.at} ${object.name}`
  return object.type === 'veth' ? [own, `${object.peer.at} ${object.peer.name}`] : [own]
}

const reversed = <T>(list: T[]): T[] => list.reverse()

function sorted(operations: Operation[]): Operation[] {
  if (operations.length < 2) return operations
  const made = new Set(operations.flatMap(linksMade))
  const byRank = operations.map((operation) => ({ operation, rank: rank(operation, made) })).sort((a, b) => a.rank - b.rank)
  return afterDependencies(byRank.map(({ operation }) => operation))
}

function linksMade(operation: Operation): string[] {
  const object = objectOf(operation)
  if (object.kind !== 'link') return []
  return operation.do === 'create' ? namesOf(object) : namesOf(object).slice(1)
}

/** Keeps the order, but moves each link after its master and parent, and each chain after those it jumps to. */
function afterDependencies(operations: Operation[]): Operation[] {
  const byName = new Map<string, Operation>()
  for (const operation of operations) {
    const name = dependableName(objectOf(operation))
    if (name !== undefined && !byName.has(name)) byName.set(name, operation)
  }
  if (byName.size < 2) return operations
  const done = new Set<Operation>()
  const result: Operation[] = []
  const visit = (operation: Operation): void => {
    if (done.has(operation)) return
    done.add(operation)
    for (const name of dependencies(objectOf(operation))) {
      const needed = byName.get(name)
      if (needed !== undefined) visit(needed)
    }
    result.push(operation)
  }
  for (const operation of operations) visit(operation)
  return result
}

function dependableName(object: KernelObject): string | undefined {
  if (object.kind === 'link') return `${object.at} ${object.name}`
  if (object.kind === 'nft-chain') return `${object.at} ${object.family} ${object.table} ${object.name}`
  return undefined
}

function dependencies(object: KernelObject): string[] {
  if (object.kind === 'nft-chain') return chainTargets(object).map((name) => `${object.at} ${object.family} ${object.table} ${name}`)
  if (object.kind !== 'link') return []
  const names: string[] = []
  if (object.master !== undefined) names.push(`${object.at} ${object.master}`)
  if ('parent' in object && object.parent !== undefined) names.push(`${object.parent.at ?? object.at} ${object.parent.name}`)
  return names
}
