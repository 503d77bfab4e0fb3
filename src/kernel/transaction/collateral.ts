import type { KernelObject, KernelObjectKind, LinkObject, Place } from '../../contracts/kernel-objects.js'
import type { Operation } from '../../contracts/operations.js'
import { handlerOf } from '../handlers.js'
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
export function risk(operation: Operation): Risk | undefined {
  if (operation.do === 'delete') return operation.object.kind === 'address' ? { at: operation.object.at, kinds: CONNECTED } : undefined
  const [from, to] = operation.do === 'change' ? [operation.from, operation.to] : [operation.object, operation.object]
  if (to.kind === 'sysctl') return /disable_ipv6$|\/forwarding$/.test(to.path) ? { at: to.at, kinds: CONNECTED } : undefined
  if (operation.do === 'change' && to.kind === 'address') return { at: to.at, kinds: CONNECTED }
  if (from.kind !== 'link' || to.kind !== 'link') return undefined
  const replaces = operation.do === 'create' && (operation.replace === true || to.type === 'existing')
  return replaces || (operation.do === 'change' && disturbs(from, to)) ? { at: to.at, kinds: KINDS } : undefined
}

function disturbs(from: LinkObject, to: LinkObject): boolean {
  const goesDown = (from.up ?? true) && to.up === false
  return goesDown || from.master !== to.master || from.mtu !== to.mtu || from.mac !== to.mac || from.name !== to.name || from.type !== to.type
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
