import { CnmError } from './errors.js'

/** How one option is read from its text. Throws an Error whose message says what is wrong with the value. */
export type OptionParser<T> = (text: string) => T

export const asText: OptionParser<string> = (text) => text

/** The spellings that Go's strconv.ParseBool takes, since users know them. */
export const asBoolean: OptionParser<boolean> = (text) => {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text)) return false
  throw new Error('expected true or false')
}

export const asInteger =
  (min: number, max: number): OptionParser<number> =>
  (text) => {
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || value < min || value > max) throw new Error(`expected a whole number from ${min} to ${max}`)
    return value
  }

/** For options that switch something off: `no_default_route`. */
export const asNegated: OptionParser<boolean> = (text) => !asBoolean(text)

const MIN_MTU = 68
const MAX_MTU = 65535
const MAX_METRIC = 0xffffffff

/** Bytes. 0 is what other systems write for "choose it for me". */
export const asMtu: OptionParser<number | 'auto'> = (text) => (text === 'auto' || text === '0' ? 'auto' : asInteger(MIN_MTU, MAX_MTU)(text))

/** Of a route: the lower one counts. */
export const asMetric: OptionParser<number> = (text) => asInteger(0, MAX_METRIC)(text)

/** How often an endpoint's addresses are announced when it joins, and how many milliseconds apart. */
export const asAnnouncements: OptionParser<number> = (text) => asInteger(0, 3)(text)
export const asAnnouncementInterval: OptionParser<number> = (text) => asInteger(100, 2000)(text)

export const asOneOf =
  <const T extends string>(...values: T[]): OptionParser<T> =>
  (text) => {
    const found = values.find((value) => value === text)
    if (found === undefined) throw new Error(`expected one of ${values.join(', ')}`)
    return found
  }

const LINK_NAME_BYTES = 15

/** Name of a link as the kernel takes it: 1 to 15 bytes without `/`, `:`, `%` and white space. */
export const asLinkName: OptionParser<string> = (text) => {
  const length = new TextEncoder().encode(text).length
  if (length < 1 || length > LINK_NAME_BYTES || /[/:%\s]/.test(text) || text === '.' || text === '..') {
    throw new Error(`expected the name of a link: 1 to ${LINK_NAME_BYTES} bytes without "/", ":", "%" and white space`)
  }
  return text
}

/** Parsers by full option name. Two names for one thing: give both the same `to`. */
export type OptionTable<T> = { readonly [name: string]: { readonly to: keyof T; readonly parse: OptionParser<T[keyof T]> } }

/**
 * Reads a driver's options. Every key must be in the table.
 * @throws CnmError ERR_CNM_UNKNOWN_OPTION naming the key and the nearest known one; ERR_CNM_INVALID_ARGUMENT naming the
 *   key and what its value should be, or the two keys that mean the same
 */
export function parseOptions<T extends object>(raw: Readonly<Record<string, string>>, table: OptionTable<T>, defaults: T, what: string): T {
  const result: T = { ...defaults }
  const given = new Map<keyof T, string>()
  for (const [name, text] of Object.entries(raw)) {
    const entry = Object.hasOwn(table, name) ? table[name] : undefined
    if (entry === undefined) throw unknownOption(name, Object.keys(table), what)
    const twin = given.get(entry.to)
    if (twin !== undefined) throw givenTwice(name, twin, what)
    given.set(entry.to, name)
    try {
      result[entry.to] = entry.parse(text)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${what}: option ${name}=${text}: ${reason}`, {
        field: `options.${name}`,
        cause: error,
      })
    }
  }
  return result
}

const givenTwice = (name: string, twin: string, what: string): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', `${what}: options ${twin} and ${name} are two names for one thing`, { field: `options.${name}` })

/** The error for an option that nobody knows. */
export function unknownOption(name: string, known: readonly string[], what: string): CnmError {
  const nearest = nearestName(name, known)
  const hint = nearest === undefined ? (known.length === 0 ? ' (it takes no options)' : '') : `; did you mean ${nearest}?`
  return new CnmError('ERR_CNM_UNKNOWN_OPTION', `${what}: unknown option ${name}${hint}`, { field: `options.${name}` })
}

/** The known name with the fewest edits to `name`, if it is near enough to be a slip. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(3, Math.ceil(name.length / 3)) + 1
  for (const candidate of known) {
    const distance = editDistance(name, candidate)
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance]
  }
  return best
}

function editDistance(a: string, b: string): number {
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const current = [row]
    for (let column = 1; column <= b.length; column++) {
      const swap = previous[column - 1]! + (a[row - 1] === b[column - 1] ? 0 : 1)
      current.push(Math.min(swap, previous[column]! + 1, current[column - 1]! + 1))
    }
    previous = current
  }
  return previous[b.length]!
}
