import type { KernelObject } from '../contracts/kernel-objects.js'
import { compare, type Deviation } from '../engine/check.js'
import { identity } from '../engine/identity.js'
import { observeDeviations } from '../engine/observe-deviations.js'
import type { Core } from './core.js'

/**
 * Puts right what differs between what is wanted and what the kernel holds, in one transaction. Returns what was found.
 *
 * @param leftovers what interrupted operations may have left in the kernel: removed, unless it is wanted
 */
export async function reconcile(core: Core, leftovers: readonly KernelObject[] = []): Promise<Deviation[]> {
  const { engine, kernel, instance } = core
  const noted = engine.noteChanges()
  const { deviations, left } = await compare(engine, kernel, { leftovers, instance })
  noted.stop()
  // What was changed meanwhile was compared with what it was before.
  const still = deviations.filter(({ object }) => !noted.changed.has(object))
  const differing = [...observeDeviations(engine, still), ...left.map(identity)]
  for (const object of left) engine.observe(identity(object), object)
  if (differing.length > 0) await engine.settle(differing)
  return deviations
}
