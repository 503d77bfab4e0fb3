/**
 * Keys of set elements between their JSON form and the kernel's. The kernel keeps a range of a single key as two
 * elements, its first value and, marked as an end, the value behind its last; a range of a concatenated key as one
 * element with two keys.
 */
import type { KeyPart, Scalar } from '../../contracts/firewall-types.js'
import * as bits from './bytes.js'
import type { KeyLayout, Part } from './key-layout.js'
import { layoutLength, splitParts } from './key-layout.js'
import { refusal } from './refusal.js'
import { decodeInterval, decodeScalar, encodeInterval, encodeValue } from './values.js'

export const CATCH_ALL = '*'

export interface ElementKey {
  /** Absent for the element that matches when no other does. */
  key?: Uint8Array
  /** Last key of a range of concatenated keys. */
  keyEnd?: Uint8Array
  /** For a single key of an interval set: where the range ends (exclusive); `undefined` when it ends at the maximum. */
  end?: Uint8Array
  openEnd?: boolean
}

export function encodeKey({ parts, interval }: KeyLayout, key: readonly KeyPart[], field: string): ElementKey {
  if (!isList(key)) throw refusal(field, 'a list of key parts is needed')
  if (key.length === 1 && key[0] === CATCH_ALL) return {}
  if (key.length !== parts.length) throw refusal(field, `${parts.length} parts are needed, not ${key.length}`)
  if (!interval)
    return {
      key: joined(
        parts,
        key.map((part, i) => exact(parts[i]!, part, `${field}[${i}]`)),
      ),
    }
  const ranges = key.map((part, i) => range(parts[i]!, part, `${field}[${i}]`))
  const low = joined(
    parts,
    ranges.map((part) => part.low),
  )
  const high = joined(
    parts,
    ranges.map((part) => part.high),
  )
  if (parts.length > 1) return { key: low, keyEnd: high }
  const end = bits.successor(high)
  return end === undefined ? { key: low, openEnd: true } : { key: low, end }
}

export function decodeExactKey(parts: readonly Part[], key: Uint8Array): KeyPart[] {
  return splitParts(parts, key).map((bytes, i) => scalarOf(parts[i]!, bytes))
}

/** @param low first and @param high last key, both included */
export function decodeRangeKey(parts: readonly Part[], low: Uint8Array, high: Uint8Array): KeyPart[] {
  const lows = splitParts(parts, low)
  const highs = splitParts(parts, high)
  return parts.map((part, i) => decodeInterval(part.type, unshifted(part, lows[i]!), unshifted(part, highs[i]!)))
}

/** Data of a map: its parts one after the other. */
export function encodeData(parts: readonly Part[], data: readonly Scalar[], field: string): Uint8Array {
  if (!isList(data) || data.length !== parts.length) throw refusal(field, `a list of ${parts.length} values is needed`)
  return joined(
    parts,
    data.map((value, i) => exact(parts[i]!, value, `${field}[${i}]`)),
  )
}

export const decodeData = (parts: readonly Part[], bytes: Uint8Array): Scalar[] =>
  splitParts(parts, bytes).map((part, i) => scalarOf(parts[i]!, part))

/** First and last data of a map whose data are ranges, one after the other. */
export function encodeDataRange(parts: readonly Part[], data: readonly KeyPart[], field: string): Uint8Array {
  if (!isList(data) || data.length !== parts.length) throw refusal(field, `a list of ${parts.length} values is needed`)
  const ranges = data.map((value, i) => range(parts[i]!, value, `${field}[${i}]`))
  const low = joined(
    parts,
    ranges.map((part) => part.low),
  )
  return bits.concatBytes([
    bits.padded(low),
    joined(
      parts,
      ranges.map((part) => part.high),
    ),
  ])
}

export function decodeDataRange(parts: readonly Part[], bytes: Uint8Array): KeyPart[] {
  const half = (layoutLength(parts) + 3) & ~3
  return decodeRangeKey(parts, bytes.subarray(0, half), bytes.subarray(half))
}

/** For callers without types. */
const isList = (value: unknown): boolean => Array.isArray(value)

function exact(part: Part, value: KeyPart, field: string): Uint8Array {
  if (typeof value === 'object') throw refusal(field, 'ranges are only for sets with the flag interval')
  return placed(part, encodeValue(part.type, value, field))
}

function range(part: Part, value: KeyPart, field: string): { low: Uint8Array; high: Uint8Array } {
  const { low, high } = encodeInterval(part.type, value, field)
  return { low: placed(part, low), high: placed(part, high) }
}

/** Right-aligned in the length of the part, then moved to where the field stands. */
function placed({ length, shift }: Part, bytes: Uint8Array): Uint8Array {
  if (bytes.length === length && shift === 0) return bytes
  const wide = new Uint8Array(length)
  wide.set(bytes, length - bytes.length)
  return bits.shiftedLeft(wide, shift)
}

function unshifted({ type, length, shift }: Part, bytes: Uint8Array): Uint8Array {
  const own = Math.ceil(type.bits / 8)
  if (own === length && shift === 0) return bytes
  return bits.shiftedRight(bytes, shift).slice(length - own)
}

const scalarOf = (part: Part, bytes: Uint8Array): Scalar => decodeScalar(part.type, unshifted(part, bytes))

function joined(parts: readonly Part[], values: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return values[0]!
  const whole = new Uint8Array(layoutLength(parts))
  let at = 0
  for (const value of values) {
    whole.set(value, at)
    at += (value.length + 3) & ~3
  }
  return whole
}
