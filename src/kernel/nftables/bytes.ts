/** Numbers of any length in bytes, and the bit arithmetic of masks, ranges and prefixes. */
import { endianness } from 'node:os'

export const LITTLE_ENDIAN = endianness() === 'LE'

/** @returns `undefined` when the number does not fit */
export function numberToBytes(value: bigint, length: number, order: 'big' | 'host'): Uint8Array | undefined {
  if (value < 0n || value >= 1n << BigInt(length * 8)) return undefined
  const bytes = new Uint8Array(length)
  let rest = value
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  return order === 'host' && LITTLE_ENDIAN ? bytes.reverse() : bytes
}

/** For numbers that are known to fit, of up to 4 bytes. */
export function smallNumberToBytes(value: number, length: number, order: 'big' | 'host'): Uint8Array {
  const bytes = new Uint8Array(length)
  const reversed = order === 'host' && LITTLE_ENDIAN
  for (let i = 0; i < length; i++) bytes[reversed ? i : length - 1 - i] = value / 2 ** (8 * i)
  return bytes
}

export function bytesToNumber(bytes: Uint8Array, order: 'big' | 'host'): bigint {
  const big = order === 'host' && LITTLE_ENDIAN ? bytes.slice().reverse() : bytes
  let value = 0n
  for (const byte of big) value = (value << 8n) | BigInt(byte)
  return value
}

/** A double where it is exact, else a decimal string, as numbers appear in JSON. */
export const jsonNumber = (value: bigint): number | string => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString())

export const compareBytes = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b)
export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])
export const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)
export const isAllOnes = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0xff)
export const not = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0xff)
export const and = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte & b[i]!)
export const or = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte | b[i]!)
export const xor = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, i) => byte ^ b[i]!)

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    result.set(part, at)
    at += part.length
  }
  return result
}

/** With zeros behind, up to a multiple of 4. */
export function padded(bytes: Uint8Array): Uint8Array {
  if ((bytes.length & 3) === 0) return bytes
  const result = new Uint8Array((bytes.length + 3) & ~3)
  result.set(bytes)
  return result
}

/** The first `length` bits set. */
export function prefixMask(bits: number, length: number): Uint8Array {
  const mask = new Uint8Array(Math.ceil(bits / 8))
  for (let i = 0; i < length; i++) mask[i >> 3]! |= 0x80 >> (i & 7)
  return mask
}

/** How many leading bits are set when all others are not. */
export function maskPrefixLength(mask: Uint8Array): number | undefined {
  let length = 0
  while (length < mask.length * 8 && mask[length >> 3]! & (0x80 >> (length & 7))) length++
  return sameBytes(prefixMask(mask.length * 8, length), mask) ? length : undefined
}

/** Prefix length of a range that is exactly one prefix. */
export function rangePrefixLength(low: Uint8Array, high: Uint8Array): number | undefined {
  const hostBits = xor(low, high)
  const length = maskPrefixLength(not(hostBits))
  return length !== undefined && isZero(and(low, hostBits)) ? length : undefined
}

/** The next number, or `undefined` after the last one of this length. */
export function successor(big: Uint8Array): Uint8Array | undefined {
  const next = big.slice()
  for (let i = next.length - 1; i >= 0; i--) {
    if (next[i] !== 0xff) {
      next[i]!++
      return next
    }
    next[i] = 0
  }
  return undefined
}

export function predecessor(big: Uint8Array): Uint8Array {
  const before = big.slice()
  for (let i = before.length - 1; i >= 0; i--) {
    if (before[i] !== 0) {
      before[i]!--
      return before
    }
    before[i] = 0xff
  }
  return before
}

/** The same number moved left; bits that leave at the left are lost. */
export function shiftedLeft(big: Uint8Array, bits: number): Uint8Array {
  const length = big.length
  const value = (bytesToNumber(big, 'big') << BigInt(bits)) & ((1n << BigInt(length * 8)) - 1n)
  return numberToBytes(value, length, 'big')!
}

export function shiftedRight(big: Uint8Array, bits: number): Uint8Array {
  return numberToBytes(bytesToNumber(big, 'big') >> BigInt(bits), big.length, 'big')!
}
