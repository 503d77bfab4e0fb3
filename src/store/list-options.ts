import { CnmError } from '../contracts/errors.js'
import type { ListOptions } from '../contracts/store.js'
import { prefixBytes } from './keys.js'

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkListOptions({ after, limit = Infinity }: ListOptions): { after: Buffer | undefined; limit: number } {
  if (limit !== Infinity && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `store: limit is no number of entries: ${String(limit)}`, { field: 'limit' })
  }
  return { after: after === undefined ? undefined : prefixBytes(after), limit }
}
