import { asFound, check, type Deviation } from '../engine/check.js'
import type { Owner } from '../contracts/description.js'
import type { Core } from './core.js'

/**
 * Puts right what differs between what is wanted and what the kernel holds. Returns what was found.
 *
 * @param leaving owners whose objects are about to be removed anyway: what they have lost is not made again
 */
export async function reconcile(core: Core, leaving: ReadonlySet<Owner> = new Set()): Promise<Deviation[]> {
  const deviations = await check(core.engine, core.kernel)
  for (const deviation of deviations) core.engine.observe(deviation.object, asFound(deviation))
  const wanted = deviations.filter(({ owners }) => owners.some((owner) => !leaving.has(owner)))
  if (wanted.length > 0) await core.engine.settle(wanted.map(({ object }) => object))
  return deviations
}
