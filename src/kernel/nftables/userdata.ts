/**
 * User data: bytes that the kernel keeps with an object and never reads. nft(8) writes type, length, value there
 * (libnftnl/udata.h), and libcnm the same, so that both read each other's comments and types.
 */
import * as bits from './bytes.js'

export const UDATA_COMMENT = { table: 0, chain: 0, rule: 0, set: 7, element: 0 } as const
/** Of sets. */
export const UDATA_SET = { keyByteOrder: 0, dataByteOrder: 1, autoMerge: 2, keyTypeof: 3, dataTypeof: 4, dataInterval: 6 } as const
/** Of elements: bit 0 says that the range has no end element because it ends at the maximum. */
export const UDATA_ELEMENT_FLAGS = 1
export const INTERVAL_OPEN = 1

const MOST = 256
const encoder = new TextEncoder()

export class UserData {
  #parts: Uint8Array[] = []

  add(type: number, value: Uint8Array): this {
    this.#parts.push(Uint8Array.of(type, value.length), value)
    return this
  }
  u32(type: number, value: number): this {
    return this.add(type, bits.numberToBytes(BigInt(value), 4, 'host')!)
  }
  text(type: number, value: string | undefined): this {
    return value === undefined ? this : this.add(type, Buffer.from(`${value}\0`, 'utf8'))
  }
  nested(type: number, value: UserData | undefined): this {
    return value === undefined ? this : this.add(type, value.bytes())
  }
  bytes(): Uint8Array {
    return bits.concatBytes(this.#parts)
  }
}

/** One comment and nothing else. */
export function commentData(type: number, comment: string | undefined): Uint8Array | undefined {
  if (comment === undefined) return undefined
  const length = Buffer.byteLength(comment)
  const bytes = new Uint8Array(length + 3)
  bytes[0] = type
  bytes[1] = length + 1
  encoder.encodeInto(comment, bytes.subarray(2))
  return bytes
}

/** Of repeated types the last; what does not fit ends the reading. */
export function readUserData(bytes: Uint8Array | undefined): Map<number, Uint8Array> {
  const found = new Map<number, Uint8Array>()
  if (bytes === undefined) return found
  const end = Math.min(bytes.length, MOST)
  for (let at = 0; at + 2 <= end;) {
    const length = bytes[at + 1]!
    if (at + 2 + length > end) break
    found.set(bytes[at]!, bytes.subarray(at + 2, at + 2 + length))
    at += 2 + length
  }
  return found
}

export function readNumber(value: Uint8Array | undefined): number | undefined {
  return value?.length === 4 ? Number(bits.bytesToNumber(value, 'host')) : undefined
}

export function readText(value: Uint8Array | undefined): string | undefined {
  if (value === undefined || value.length === 0) return undefined
  const end = value.indexOf(0)
  const text = Buffer.from(end < 0 ? value : value.subarray(0, end)).toString('utf8')
  return text === '' ? undefined : text
}
