import type { KernelObject } from '../contracts/kernel-objects.js'
import { compare, type Deviation } from '../engine/check.js'
import { identity } from '../engine/identity.js'
import { isLostState, observeDeviations } from '../engine/observe-deviations.js'
import type { Core } from './core.js'
import { settleByOwner, type Unsettled } from './settle-deviations.js'

export interface Reconciled {
  found: Deviation[]
  /** What the kernel refused, while everything else was put right. */
  unsettled: Unsettled[]
}

/** Owner of what interrupted operations left, which is nobody's. */
export const LEFTOVERS = 'leftovers'

/**
 * Puts right what differs between what is wanted and what the kernel holds, in one transaction; where the kernel refuses
 * that, owner by owner.
 *
 * @param leftovers what interrupted operations may have left in the kernel: removed, unless it is wanted
 */
export async function reconcile(core: Core, leftovers: readonly KernelObject[] = []): Promise<Reconciled> {
  const { engine, kernel } = core
  const noted = engine.noteChanges()
  const { deviations, left } = await compare(engine, kernel, { leftovers })
  noted.stop()
  // What was changed meanwhile was compared with what it was before.
  const still = deviations.filter(({ object }) => !noted.changed.has(object))
  const removable = left.map(identity)
  const differing = [...observeDeviations(engine, still), ...removable]
  for (const object of left) engine.observe(identity(object), object)
  if (still.some(isLostState)) core.cluster?.encryption.lost()
  if (differing.length === 0) return { found: deviations, unsettled: [] }
  try {
    await engine.settle(differing)
    return { found: deviations, unsettled: [] }
  } catch {
    const refused = await engine.settle(removable).then(
      () => [],
      (error: unknown): Unsettled[] => [{ owner: LEFTOVERS, deviations: [], error }],
    )
    return { found: deviations, unsettled: [...refused, ...(await settleByOwner(engine, still))] }
  }
}

/** @throws the first of what the kernel refused; several in an AggregateError */
export async function repair(core: Core): Promise<Deviation[]> {
  const { found, unsettled } = await reconcile(core)
  if (unsettled.length === 1) throw unsettled[0]!.error
  if (unsettled.length === 0) return found
  const words = unsettled.map(({ owner, error }) => `${owner}: ${error instanceof Error ? error.message : String(error)}`)
  throw new AggregateError(
    unsettled.map(({ error }) => error),
    `repair: not all could be put back: ${words.join('; ')}`,
  )
}
