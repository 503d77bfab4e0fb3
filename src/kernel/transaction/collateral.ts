import type { KernelObject, KernelObjectKind, LinkObject, Place } from '../../contracts/kernel-objects.js'
import type { Operation } from '../../contracts/operations.js'
import { handlerOf } from '../handlers.js'
import { changed } from './before.js'
import { identity } from './identity.js'
import type { Session } from './session.js'

/** What the kernel removes by itself along with something else, in the order in which it is put back. */
const KINDS: readonly KernelObjectKind[] = ['address', 'route', 'neighbour', 'fdb', 'bridge-vlan', 'bridge-port']
const CONNECTED: readonly KernelObjectKind[] = ['address', 'route']

interface Risk {
  at: Place
  kinds: readonly KernelObjectKind[]
}

/**
 * Where the kernel may remove more than an operation says: an address takes routes along, a link that goes down its
 * routes and IPv6 addresses, one that leaves a bridge its entries there, a parameter that turns IPv6 off its addresses.
 */
export function risk(operation: Operation, before: KernelObject | undefined): Risk | undefined {
  const object = operation.do === 'change' ? operation.from : operation.object
  if (object.kind === 'address' && operation.do !== 'create') return { at: object.at, kinds: CONNECTED }
  if (object.kind === 'sysctl') return /disable_ipv6$|\/forwarding$/.test(object.path) ? { at: object.at, kinds: CONNECTED } : undefined
  if (object.kind !== 'link' || before?.kind !== 'link' || operation.do === 'delete') return undefined
  const after = operation.do === 'change' ? changed(before, object, operation.to) : changed(before, object, object)
  return disturbs(before, after as LinkObject) ? { at: object.at, kinds: KINDS } : undefined
}

function disturbs(before: LinkObject, after: LinkObject): boolean {
  const goesDown = (before.up ?? true) && after.up === false
  return goesDown || before.master !== after.master || before.mtu !== after.mtu || before.mac !== after.mac || before.name !== after.name
}

/** Remembers what is there now. The result puts back what is missing later. */
export function snapshot({ at, kinds }: Risk, session: Session): () => void {
  const before = kinds.map((kind) => ({ kind, objects: list(kind, at, session) }))
  return () => {
    for (const { kind, objects } of before) {
      const present = new Set(list(kind, at, session).map(identity))
      for (const object of objects.filter((each) => !present.has(identity(each))).sort(byDependence)) {
        handlerOf(kind).create(object, session, true)
      }
      session.flush()
    }
  }
}

/** Routes through a gateway need the route to the gateway. */
function byDependence(a: KernelObject, b: KernelObject): number {
  const depends = (object: KernelObject): number => (object.kind === 'route' && (object.gateway ?? object.nextHops) !== undefined ? 1 : 0)
  return depends(a) - depends(b)
}

const list = (kind: KernelObjectKind, at: Place, session: Session): KernelObject[] => handlerOf(kind).list?.(at, session) ?? []
