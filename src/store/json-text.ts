import { CnmError } from '../contracts/errors.js'
import type { JsonValue } from '../contracts/store.js'

/**
 * A value as JSON text. JSON.stringify turns what it cannot write into `null` or nothing; here that is an error,
 * because what is read back must be what was put.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the place: `value.ports[2].host`
 */
export function jsonText(value: JsonValue): string {
  requireJson(value, 'value', 0)
  return JSON.stringify(value)
}

const DEEPEST = 200

function requireJson(value: unknown, place: string, depth: number): void {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return
  if (typeof value === 'number' && Number.isFinite(value)) return
  if (typeof value !== 'object') throw refused(place, typeof value === 'number' ? String(value) : typeof value)
  if (depth === DEEPEST) throw refused(place, `nested more than ${DEEPEST} deep`)
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) requireJson(value[index], `${place}[${index}]`, depth + 1)
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw refused(place, value.constructor?.name ?? 'an object of a class')
  for (const [name, part] of Object.entries(value)) {
    if (part !== undefined) requireJson(part, `${place}.${name}`, depth + 1)
  }
}

function refused(place: string, what: string): CnmError {
  return new CnmError('ERR_CNM_INVALID_ARGUMENT', `store: ${place} is not JSON data (${what})`, { field: place })
}
