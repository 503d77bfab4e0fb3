import { CnmError } from '../contracts/errors.js'
import { nearestName } from '../contracts/options.js'

/**
 * Filters as users of container engines know them: `{ name: 'front', label: ['tier=web', 'team'] }`. Several values of
 * one key are alternatives, except labels, which must all match.
 */
export type Filters = Readonly<Record<string, string | readonly string[]>>

interface Filterable {
  readonly id: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly created: Date
}

/** What a kind of object can be filtered by, besides id, name, label, until and before/since. */
export type FilterTable<T> = Readonly<Record<string, (object: T, value: string) => boolean>>

const COMMON: FilterTable<Filterable> = {
  id: (object, value) => object.id.startsWith(value),
  name: (object, value) => object.name.includes(value),
  label: (object, value) => matchesLabel(object, value),
  'label!': (object, value) => !matchesLabel(object, value),
  until: (object, value) => object.created.getTime() < instant(value),
}
const ALL_MUST_MATCH = new Set(['label', 'label!'])

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT for a key that cannot be filtered by */
export function matcher<T extends Filterable>(filters: Filters | undefined, table: FilterTable<T>): (object: T) => boolean {
  const tests: ((object: T) => boolean)[] = []
  for (const [key, given] of Object.entries(filters ?? {})) {
    const known: FilterTable<T> = { ...COMMON, ...table }
    const test = Object.hasOwn(known, key) ? known[key] : undefined
    if (test === undefined) throw unknownFilter(key, Object.keys(known))
    const values = typeof given === 'string' ? [given] : [...given]
    tests.push((object) =>
      ALL_MUST_MATCH.has(key) ? values.every((value) => test(object, value)) : values.some((value) => test(object, value)),
    )
  }
  return (object) => tests.every((test) => test(object))
}

function unknownFilter(key: string, known: string[]): CnmError {
  const nearest = nearestName(key, known)
  const hint = nearest === undefined ? `; known are ${known.join(', ')}` : `; did you mean ${nearest}?`
  return new CnmError('ERR_CNM_INVALID_ARGUMENT', `filters: unknown filter ${key}${hint}`, { field: `filters.${key}` })
}

function matchesLabel(object: Filterable, value: string): boolean {
  const at = value.indexOf('=')
  if (at < 0) return Object.hasOwn(object.labels, value)
  return object.labels[value.slice(0, at)] === value.slice(at + 1)
}

export const isTrue = (value: string): boolean => value === 'true' || value === '1'

const UNITS: Readonly<Record<string, number>> = { s: 1e3, m: 6e4, h: 3.6e6 }

/** A time stamp, or an age such as `24h` or `1h30m`. */
function instant(value: string): number {
  if (/^(\d+[smh])+$/.test(value)) {
    const age = [...value.matchAll(/(\d+)([smh])/g)].reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0)
    return Date.now() - age
  }
  const time = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value)
  if (Number.isNaN(time))
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `filters: until=${value} is neither a time nor an age`, { field: 'filters.until' })
  return time
}
