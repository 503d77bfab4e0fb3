import type { Description } from '../contracts/description.js'
import type { EndpointRecord, NetworkRecord, PartRecord } from '../contracts/records.js'
import type { StoreChange } from '../contracts/store.js'
import { canonical } from '../engine/canonical.js'
import { ownerOf, putRecord, recordKey, type Changes, type Core } from './core.js'

/** Whoever has a description of its own in its record. */
export type Described = NetworkRecord | EndpointRecord | PartRecord

/** What is described for an owner now and from now on; without `before` it is new, without `after` it goes. */
export interface Replacement<R extends Described = Described> {
  before?: R
  after?: R
}

/**
 * Brings the kernel from old descriptions to new ones, in one transaction, so that a process that dies in between
 * leaves a record of both: the store has the new one, and what may be left of the old one, before the kernel is
 * changed. When the kernel refuses, everything is as it was. The caller holds the objects' serial keys.
 *
 * @param others what goes with it: the sandbox whose default routes change
 */
export async function replaceDescriptions(core: Core, replacements: readonly Replacement[], others: Changes = new Map()): Promise<void> {
  const changes: Changes = new Map(others)
  for (const { before, after } of replacements) changes.set(ownerOf((after ?? before)!), after?.description)
  await core.store.commit(replacements.map(begun))
  try {
    await core.engine.apply(changes)
  } catch (error) {
    await core.store.commit(replacements.map(({ before, after }) => (before === undefined ? remove(after!) : putRecord(before))))
    throw error
  }
  // What was only added has nothing to forget.
  const finished = replacements.filter(({ before }) => before !== undefined)
  if (finished.length > 0)
    await core.store.commit(
      finished.map(({ before, after }) => (after === undefined ? remove(before!) : putRecord(withoutPrevious(after)))),
    )
}

function begun({ before, after }: Replacement): StoreChange {
  if (before === undefined) return putRecord(after!)
  const previous = everythingOf(before)
  return putRecord(after === undefined ? { ...before, description: [], previous } : { ...after, previous })
}

/** Default routes of an endpoint are in the kernel for its sandbox. */
export const everythingOf = (record: Described): Description =>
  'gateways' in record ? [...record.description, ...record.gateways] : record.description

const remove = (record: Described): StoreChange => ({ delete: recordKey(record) })

export function withoutPrevious<R extends Described>(record: R): R {
  const { previous: _previous, ...rest } = record
  return rest as R
}

/** Whether two descriptions say the same, in whatever order. */
export function sameDescription(a: Description, b: Description): boolean {
  if (a.length !== b.length) return false
  const texts = new Set(a.map(canonical))
  return texts.size === a.length && b.every((object) => texts.has(canonical(object)))
}
