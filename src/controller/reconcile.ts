import type { KernelObject } from '../contracts/kernel-objects.js'
import { asFound, compare, type Deviation } from '../engine/check.js'
import { identity } from '../engine/identity.js'
import type { Core } from './core.js'

/**
 * Puts right what differs between what is wanted and what the kernel holds, in one transaction. Returns what was found.
 *
 * @param leftovers what interrupted operations may have left in the kernel: removed, unless it is wanted
 */
export async function reconcile(core: Core, leftovers: readonly KernelObject[] = []): Promise<Deviation[]> {
  const { engine, kernel, instance } = core
  const { deviations, left } = await compare(engine, kernel, { leftovers, instance })
  for (const deviation of deviations) engine.observe(deviation.object, asFound(deviation))
  for (const object of left) engine.observe(identity(object), object)
  const differing = [...deviations.map(({ object }) => object), ...left.map(identity)]
  if (differing.length > 0) await engine.settle(differing)
  return deviations
}
