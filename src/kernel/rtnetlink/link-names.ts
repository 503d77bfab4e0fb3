import type { Place } from '../../contracts/kernel-objects.js'
import type { TransactionContext } from '../handler.js'

/** Names of links by index, each asked for once. `undefined`: the link is gone. */
export function linkNames(at: Place, context: TransactionContext): (index: number) => string | undefined {
  const known = new Map<number, string | undefined>()
  return (index) => {
    if (!known.has(index)) known.set(index, context.linkName(at, index))
    return known.get(index)
  }
}
