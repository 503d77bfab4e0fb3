import { CnmError } from '../../contracts/errors.js'

/** The input cannot be honoured; `field` is a path into the object, such as `rules[2].statements[0].match`. */
export const refusal = (field: string, message: string): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${message}`, { field })

/** Refuses keys that nobody would read. */
export function onlyKeys(value: object, keys: readonly string[], field: string): void {
  if (typeof value !== 'object' || value === null) throw refusal(field, 'an object is needed')
  for (const key of Object.keys(value)) if (!keys.includes(key)) throw refusal(`${field}.${key}`, 'unknown key')
}

/** Runs `body`, and puts `path` before the field of what it refuses. */
export function within<T>(path: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (!(error instanceof CnmError) || error.code !== 'ERR_CNM_INVALID_ARGUMENT') throw error
    const field = error.field === undefined ? path : `${path}.${error.field}`
    const message =
      error.field !== undefined && error.message.startsWith(error.field) ? `${path}.${error.message}` : `${path}: ${error.message}`
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', message, { field, cause: error })
  }
}

export function wholeNumber(value: unknown, most: number, field: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > most)
    throw refusal(field, `a whole number from 0 to ${most} is needed`)
  return value
}
