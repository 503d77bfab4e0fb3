import type { Description, Owner } from '../contracts/description.js'
import { CnmError } from '../contracts/errors.js'
import type { KernelObject, Place } from '../contracts/kernel-objects.js'
import { canonical } from './canonical.js'
import { identity, type Identity } from './identity.js'

/** Descriptions to put in place of an owner's present one; `undefined` when the owner wants nothing any more. */
export type OwnerChanges = ReadonlyMap<Owner, Description | undefined>

interface Claim {
  object: KernelObject
  text: string
}

/** Owner tag of a link (IFLA_IFALIAS): whoever finds the link can tell whose it is. */
export const linkAlias = (instance: string, owner: Owner): string => `libcnm:${instance}:${owner}`

/**
 * What all owners together want. An object that several owners describe in the same words exists once and goes
 * with the last of them.
 */
export class Wanted {
  readonly #instance: string
  readonly #claims = new Map<Identity, Map<Owner, Claim>>()
  readonly #owned = new Map<Owner, Set<Identity>>()
  readonly #places = new Map<Place, Set<Identity>>()

  constructor(instance: string) {
    this.#instance = instance
  }

  /** The one object under this identity as it should be in the kernel. */
  object(id: Identity): KernelObject | undefined {
    const claims = this.#claims.get(id)
    if (claims === undefined) return undefined
    // The smallest owner gives the alias, so that any order of arrival ends in the same kernel.
    let first: Owner | undefined
    for (const owner of claims.keys()) if (first === undefined || owner < first) first = owner
    const { object } = claims.get(first!)!
    if (object.kind !== 'link' || object.type === 'existing' || object.alias !== undefined) return object
    const alias = linkAlias(this.#instance, first!)
    return object.type === 'veth' ? { ...object, alias, peer: { ...object.peer, alias: object.peer.alias ?? alias } } : { ...object, alias }
  }

  owners(id: Identity): Owner[] {
    return [...(this.#claims.get(id)?.keys() ?? [])].sort()
  }
  owned(owner: Owner): Identity[] {
    return [...(this.#owned.get(owner) ?? [])]
  }
  identities(): IterableIterator<Identity> {
    return this.#claims.keys()
  }

  has(id: Identity): boolean {
    return this.#claims.has(id)
  }
  /** Namespaces in which something is wanted. Mounts are in none. */
  places(): IterableIterator<Place> {
    return this.#places.keys()
  }
  at(place: Place): Iterable<Identity> {
    return this.#places.get(place) ?? []
  }

  /**
   * Puts the changes in place, all or none.
   * @returns the identities whose claims changed, and how to take it all back
   * @throws CnmError ERR_CNM_DESCRIPTION_CONFLICT when two owners describe one object differently
   */
  change(changes: OwnerChanges): { touched: Set<Identity>; revert: () => void } {
    const before = new Map<Owner, Description | undefined>()
    for (const owner of changes.keys()) before.set(owner, this.#description(owner))
    const touched = new Set<Identity>()
    const revert = (): void => {
      for (const [owner, description] of before) this.#replace(owner, description, new Set())
    }
    try {
      for (const [owner, description] of changes) this.#replace(owner, description, touched)
      for (const id of touched) this.#refuseConflict(id)
    } catch (error) {
      revert()
      throw error
    }
    return { touched, revert }
  }

  #description(owner: Owner): Description | undefined {
    const ids = this.#owned.get(owner)
    return ids === undefined ? undefined : [...ids].map((id) => this.#claims.get(id)!.get(owner)!.object)
  }

  #replace(owner: Owner, description: Description | undefined, touched: Set<Identity>): void {
    const before = this.#withdraw(owner)
    const ids = new Set<Identity>()
    if (description !== undefined) this.#owned.set(owner, ids)
    for (const object of description ?? []) {
      const id = identity(object)
      const claims = this.#claims.get(id) ?? this.#begin(id, object)
      const text = canonical(object)
      const earlier = ids.has(id) ? claims.get(owner) : undefined
      if (earlier !== undefined && earlier.text !== text) throw conflict(id, owner, owner)
      claims.set(owner, { object, text })
      ids.add(id)
      // What an owner goes on wanting in the same words is no change.
      if (before.get(id)?.text !== text) touched.add(id)
    }
    for (const id of before.keys()) if (!ids.has(id)) touched.add(id)
  }

  /** Takes away what an owner has claimed. */
  #withdraw(owner: Owner): Map<Identity, Claim> {
    const withdrawn = new Map<Identity, Claim>()
    for (const id of this.#owned.get(owner) ?? []) {
      const claims = this.#claims.get(id)!
      const claim = claims.get(owner)!
      withdrawn.set(id, claim)
      claims.delete(owner)
      if (claims.size === 0) this.#end(id, claim.object)
    }
    this.#owned.delete(owner)
    return withdrawn
  }

  #begin(id: Identity, object: KernelObject): Map<Owner, Claim> {
    const claims = new Map<Owner, Claim>()
    this.#claims.set(id, claims)
    const place = placeOf(object)
    if (place === undefined) return claims
    const there = this.#places.get(place) ?? new Set<Identity>()
    this.#places.set(place, there.add(id))
    return claims
  }

  #end(id: Identity, object: KernelObject): void {
    this.#claims.delete(id)
    const place = placeOf(object)
    const there = place === undefined ? undefined : this.#places.get(place)
    there?.delete(id)
    if (there?.size === 0) this.#places.delete(place!)
  }

  #refuseConflict(id: Identity): void {
    let first: [Owner, Claim] | undefined
    for (const entry of this.#claims.get(id) ?? []) {
      first ??= entry
      if (entry[1].text !== first[1].text) throw conflict(id, first[0], entry[0])
    }
  }
}

const placeOf = (object: KernelObject): Place | undefined => ('at' in object ? object.at : undefined)

function conflict(id: Identity, one: Owner, other: Owner): CnmError {
  const who = one === other ? `${one} describes it twice` : `${one} and ${other}`
  return new CnmError('ERR_CNM_DESCRIPTION_CONFLICT', `${id}: described in two ways by ${who}`, { object: id })
}
