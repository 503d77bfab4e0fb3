import type { SetShape, SetType } from '../../contracts/firewall.js'
import { byteLength, integer, TYPES, type DataType } from './data-types.js'
import { own } from './packet-keys.js'
import { refusal } from './refusal.js'

/** One part of a key or of map data, as bytes. */
export interface Part {
  type: DataType
  /** Bytes, without the padding that parts of a concatenation have. */
  length: number
  /** A field that does not end at the end of a byte is compared where it stands, this many bits to the left. */
  shift: number
}

export interface KeyLayout {
  parts: Part[]
  interval: boolean
}

/** The kernel has 16 registers of 4 bytes for a key; nft's numbering of concatenated types has room for 5 parts. */
export const MOST_PARTS = 5
export const MOST_BYTES = 64

export const partOf = (type: DataType): Part => ({ type, length: byteLength(type), shift: 0 })

export function dataType(type: SetType, field: string): DataType {
  if (typeof type === 'string') {
    const named = own(TYPES, type)
    if (named === undefined) throw refusal(field, `there is no data type ${JSON.stringify(type)}`)
    return named
  }
  if ('payload' in type) return integer(bitCount(type.payload.length, field))
  if ('numgen' in type) return integer(32, 'host')
  if ('integer' in type) return integer(bitCount(type.integer, field))
  throw refusal(field, 'a data type is a name, or an object with payload, numgen or integer')
}

function bitCount(bits: number, field: string): number {
  if (!Number.isInteger(bits) || bits < 1 || bits > 128) throw refusal(field, 'a length of 1 to 128 bits is needed')
  return bits
}

export function dataTypes(types: readonly SetType[], field: string): DataType[] {
  if (!(types instanceof Array) || types.length === 0) throw refusal(field, 'a list of data types is needed')
  if (types.length > MOST_PARTS) throw refusal(field, `at most ${MOST_PARTS} parts`)
  const result = types.map((type, i) => dataType(type, `${field}[${i}]`))
  if (layoutLength(result.map(partOf)) > MOST_BYTES) throw refusal(field, `longer than ${MOST_BYTES} bytes`)
  return result
}

export function keyLayout(shape: SetShape): KeyLayout {
  return { parts: dataTypes(shape.key, 'key').map(partOf), interval: shape.flags?.includes('interval') ?? false }
}

/** Length of the whole: parts of a concatenation are padded to registers, a single one is not. */
export function layoutLength(parts: readonly Part[]): number {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return only.length
  return parts.reduce((sum, part) => sum + ((part.length + 3) & ~3), 0)
}

/** Cuts the bytes of a whole into its parts; what is missing at the end reads as zeros. */
export function splitParts(parts: readonly Part[], bytes: Uint8Array): Uint8Array[] {
  let at = 0
  return parts.map(({ length }) => {
    const part = new Uint8Array(length)
    part.set(bytes.subarray(at, at + length))
    at += (length + 3) & ~3
    return part
  })
}
