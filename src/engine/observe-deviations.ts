import type { KernelObject } from '../contracts/kernel-objects.js'
import type { Deviation } from './check.js'
import type { Engine } from './engine.js'
import { identity, type Identity } from './identity.js'
import { standsForKey } from '../contracts/aead-key.js'

/** Tells the engine what was found. Returns the identities that have to be settled. */
export function observeDeviations(engine: Engine, deviations: readonly Deviation[]): Identity[] {
  const ids = deviations.filter((deviation) => !isLostState(deviation)).map(({ object }) => object)
  for (const deviation of deviations) engine.observe(deviation.object, asFound(deviation))
  const lost = new Set(
    deviations.flatMap(({ wanted, problem }) => (wanted.kind === 'namespace' && problem === 'missing' ? [wanted.at] : [])),
  )
  return lost.size === 0 ? ids : [...ids, ...pairsInto(engine, lost)]
}

/** An IPsec state that is described without its key: nothing can make it again. Those who share the key have to agree on another. */
export const isLostState = ({ wanted }: Deviation): boolean => wanted.kind === 'xfrm-state' && standsForKey(wanted.aead.key)

/** The wanted object as it is now: what a change has to start from. */
export function asFound({ wanted, actual, problem, fields = [] }: Deviation): KernelObject | undefined {
  if (problem === 'foreign') return undefined
  if (actual === undefined || fields.includes('type')) return actual
  const found = actual as unknown as Record<string, unknown>
  return { ...wanted, ...Object.fromEntries(fields.map((field) => [field, found[field]])) }
}

/**
 * A namespace that has lost its name may live on, with the inner ends of veth pairs in it. What is left on this side
 * leads to it: such a pair has to be made anew.
 */
function pairsInto(engine: Engine, lost: ReadonlySet<string>): Identity[] {
  const pairs: Identity[] = []
  for (const object of engine.believed()) {
    if (object.kind !== 'link' || object.type !== 'veth' || !lost.has(object.peer.at)) continue
    engine.observe(identity(object), { ...object, peer: { at: object.at, name: `${object.name}?` } })
    pairs.push(identity(object))
  }
  return pairs
}
