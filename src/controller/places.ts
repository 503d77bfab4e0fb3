import type { Description } from '../contracts/description.js'
import { CnmError } from '../contracts/errors.js'
import type { KernelObject, Place } from '../contracts/kernel-objects.js'
import { shortId } from './identifiers.js'

/** Where `ip netns` looks for namespaces too. */
export const NAMESPACE_DIRECTORY = '/run/netns'

export const sandboxPath = (instance: string, id: string): string => `${NAMESPACE_DIRECTORY}/${instance}-${shortId(id)}`

/** Path of a namespace that belongs to a network. */
export const privatePath = (instance: string, networkId: string, name: string): string =>
  `${NAMESPACE_DIRECTORY}/${instance}-${shortId(networkId)}-${name}`

const PRIVATE = /^private:([a-z0-9-]{1,32})$/

/**
 * Puts real namespaces in place of the symbolic ones of a driver's description. A private namespace is itself wanted
 * by whoever describes something in it.
 * @throws CnmError ERR_CNM_DRIVER_FAILED for a place that the driver may not use
 */
export function resolvePlaces(
  description: Description,
  context: { instance: string; driver: string; networkId: string; sandbox?: Place },
): Description {
  const spaces = new Map<Place, KernelObject>()
  const resolve = (place: Place): Place => {
    if (place === 'host') return 'host'
    if (place === 'sandbox' && context.sandbox !== undefined) return context.sandbox
    const name = PRIVATE.exec(place)?.[1]
    if (name === undefined) {
      const reason = place === 'sandbox' ? 'a network has no sandbox of its own' : `${place} is no place that a driver knows`
      throw new CnmError('ERR_CNM_DRIVER_FAILED', `driver ${context.driver}: description: ${reason}`)
    }
    const path = privatePath(context.instance, context.networkId, name)
    spaces.set(path, { kind: 'namespace', at: path })
    return path
  }
  const objects = description.map((object) => resolveObject(object, resolve))
  return [...spaces.values(), ...objects]
}

function resolveObject(object: KernelObject, resolve: (place: Place) => Place): KernelObject {
  if (object.kind === 'mount') return object
  const at = resolve(object.at)
  if (object.kind !== 'link') return { ...object, at }
  if (object.type === 'veth') return { ...object, at, peer: { ...object.peer, at: resolve(object.peer.at) } }
  if (object.type === 'vxlan') {
    return {
      ...object,
      at,
      ...(object.parent && { parent: resolveParent(object.parent, resolve) }),
      ...(object.underlay && { underlay: resolve(object.underlay) }),
    }
  }
  if ('parent' in object) return { ...object, at, parent: resolveParent(object.parent, resolve) }
  return { ...object, at }
}

function resolveParent<T extends { at?: Place }>(parent: T, resolve: (place: Place) => Place): T {
  return parent.at === undefined ? parent : { ...parent, at: resolve(parent.at) }
}
