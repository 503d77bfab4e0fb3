import type { KernelObject, KernelObjectKind, LinkObject, Place } from '../../contracts/kernel-objects.js'
import type { Operation } from '../../contracts/operations.js'
import { handlerOf } from '../handlers.js'
import { changed, isSetting } from './before.js'
import { identity } from './identity.js'
import type { Session } from './session.js'

/** What the kernel removes by itself along with something else, in the order in which it is put back. */
const KINDS: readonly KernelObjectKind[] = ['address', 'route', 'neighbour', 'fdb', 'bridge-vlan', 'bridge-port']
const CONNECTED: readonly KernelObjectKind[] = ['address', 'route', 'neighbour']

const RTPROT_KERNEL = 2
/** Bit of the first byte of a MAC. */
const MULTICAST = 1

interface Risk {
  at: Place
  kinds: readonly KernelObjectKind[]
}

/**
 * Where the kernel may remove more than an operation says: an address takes routes along, the last one neighbours too;
 * a link that goes down its routes and IPv6 addresses, one that leaves a bridge its entries there; a parameter that
 * turns IPv6 off its addresses.
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
    let failure: { error: unknown } | undefined
    for (const { kind, objects } of before) {
      const present = new Map(list(kind, at, session).map((object) => [identity(object), object]))
      for (const object of [...objects].sort(byDependence)) {
        try {
          putBack(object, present.get(identity(object)), session)
        } catch (error) {
          failure ??= { error }
        }
      }
      session.flush()
    }
    if (failure !== undefined) throw failure.error
  }
}

function putBack(object: KernelObject, present: KernelObject | undefined, session: Session): void {
  const handler = handlerOf(object.kind)
  if (present === undefined) handler.create(object, session, true)
  else if (isSetting(object)) handler.change(present, object, session)
}

/** Routes through a gateway need the route to the gateway. */
function byDependence(a: KernelObject, b: KernelObject): number {
  const depends = (object: KernelObject): number => (object.kind === 'route' && (object.gateway ?? object.nextHops) !== undefined ? 1 : 0)
  return depends(a) - depends(b)
}

function list(kind: KernelObjectKind, at: Place, session: Session): KernelObject[] {
  return (handlerOf(kind).list?.(at, session) ?? []).filter(isSomebodys)
}

/** Routes that the kernel makes for addresses, and multicast memberships, come back by themselves. */
function isSomebodys(object: KernelObject): boolean {
  if (object.kind === 'route') return object.protocol !== RTPROT_KERNEL
  return object.kind !== 'fdb' || (parseInt(object.mac, 16) & MULTICAST) === 0
}
