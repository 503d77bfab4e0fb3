/** Refuses what a message could not carry as it is, and what the kernel would silently take for something else. */
import { CnmError } from '../../contracts/errors.js'

const LONGEST_NAME = 15
const LONGEST_ALIAS = 255
const MAX_U32 = 0xffffffff

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function integer(value: number, field: string, maximum = MAX_U32, minimum = 0): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value
  throw invalid(field, `${JSON.stringify(value)} is not an integer of ${minimum} to ${maximum}`)
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function boolean(value: boolean, field: string): boolean {
  if (typeof value === 'boolean') return value
  throw invalid(field, `${JSON.stringify(value)} is neither true nor false`)
}

/** The number that stands for a word. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function numberOf(value: string, numbers: Readonly<Record<string, number>>, field: string): number {
  const number = Object.hasOwn(numbers, value) ? numbers[value] : undefined
  if (number !== undefined) return number
  throw invalid(field, `${JSON.stringify(value)} is none of ${Object.keys(numbers).join(', ')}`)
}

/** The word that stands for a number, or `undefined`. */
export function wordOf<W extends string>(number: number, numbers: Readonly<Record<W, number>>): W | undefined {
  for (const word in numbers) if (numbers[word] === number) return word
  return undefined
}

/**
 * As dev_valid_name() of the kernel, and without `%`, from which it would make up a number.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT
 */
export function linkName(name: string, field = 'name'): string {
  if (typeof name !== 'string' || name === '.' || name === '..' || !isPlain(name)) {
    throw invalid(field, `${JSON.stringify(name)} is not a link name: 1 to ${LONGEST_NAME} bytes without spaces, "/", ":" and "%"`)
  }
  return name
}

function isPlain(name: string): boolean {
  const { length } = name
  let bytes = length
  for (let i = 0; i < length; i++) {
    const code = name.charCodeAt(i)
    if (code <= 0x20 || code === 0x7f || code === 0x2f || code === 0x3a || code === 0x25 || code === 0xa0) return false
    if (code > 0x7f) bytes += code > 0x7ff ? 2 : 1
  }
  return length > 0 && bytes <= LONGEST_NAME
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function alias(value: string, field = 'alias'): string {
  if (typeof value === 'string' && !value.includes('\0') && Buffer.byteLength(value) <= LONGEST_ALIAS) return value
  throw invalid(field, `an alias is text of up to ${LONGEST_ALIAS} bytes`)
}

/**
 * @param known keys that are honoured
 * @throws CnmError ERR_CNM_UNKNOWN_OPTION
 */
export function refuseUnknown(object: object, known: ReadonlySet<string>, what: string): void {
  for (const key in object) {
    if (known.has(key) || (object as Record<string, unknown>)[key] === undefined) continue
    throw new CnmError('ERR_CNM_UNKNOWN_OPTION', `${what} has no option ${JSON.stringify(key)}; it has ${[...known].join(', ')}`, {
      field: key,
    })
  }
}

export const invalid = (field: string, why: string): CnmError => new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${why}`, { field })
