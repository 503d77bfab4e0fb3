/** Reads netlink messages and attributes. Never reads outside its bytes: what does not fit ends the iteration. */
import { endianness } from 'node:os'

const little = endianness() === 'LE'
const TYPE_MASK = 0x3fff

export interface Message {
  type: number
  flags: number
  sequence: number
  port: number
  payload: Uint8Array
}

/** Splits what one recv(2) returned. Throws nothing: a message whose length lies is the last one, cut short. */
export function* messages(bytes: Uint8Array): Generator<Message> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = 0
  while (at + 16 <= bytes.length) {
    const length = view.getUint32(at, little)
    if (length < 16 || at + length > bytes.length) return
    yield {
      type: view.getUint16(at + 4, little),
      flags: view.getUint16(at + 6, little),
      sequence: view.getUint32(at + 8, little),
      port: view.getUint32(at + 12, little),
      payload: bytes.subarray(at + 16, at + length),
    }
    at += (length + 3) & ~3
  }
}

export interface Attribute {
  /** Without the NLA_F_NESTED and byte order flags. */
  type: number
  value: Uint8Array
}

export function* attributes(bytes: Uint8Array, from = 0): Generator<Attribute> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = from
  while (at + 4 <= bytes.length) {
    const length = view.getUint16(at, little)
    if (length < 4 || at + length > bytes.length) return
    yield { type: view.getUint16(at + 2, little) & TYPE_MASK, value: bytes.subarray(at + 4, at + length) }
    at += (length + 3) & ~3
  }
}

/** Attributes by number; of repeated ones the last. */
export function attributeMap(bytes: Uint8Array, from = 0): Map<number, Uint8Array> {
  const map = new Map<number, Uint8Array>()
  for (const { type, value } of attributes(bytes, from)) map.set(type, value)
  return map
}

/** Attributes by number, without those above `highest`; of repeated ones the last. Cheaper than a map. */
export function attributeTable(bytes: Uint8Array, from: number, highest: number): (Uint8Array | undefined)[] {
  const table = new Array<Uint8Array | undefined>(highest + 1).fill(undefined)
  const header = view(bytes)
  let at = from
  while (at + 4 <= bytes.length) {
    const length = header.getUint16(at, little)
    if (length < 4 || at + length > bytes.length) break
    const type = header.getUint16(at + 2, little) & TYPE_MASK
    if (type <= highest) table[type] = bytes.subarray(at + 4, at + length)
    at += (length + 3) & ~3
  }
  return table
}

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

// A field that is too short reads as 0: a truncated reply must not throw.
export const u8 = (bytes: Uint8Array, at = 0): number => bytes[at] ?? 0
export const u16 = (bytes: Uint8Array, at = 0): number => (at + 2 <= bytes.length ? view(bytes).getUint16(at, little) : 0)
export const u32 = (bytes: Uint8Array, at = 0): number => (at + 4 <= bytes.length ? view(bytes).getUint32(at, little) : 0)
export const i32 = (bytes: Uint8Array, at = 0): number => (at + 4 <= bytes.length ? view(bytes).getInt32(at, little) : 0)
export const u64 = (bytes: Uint8Array, at = 0): bigint => (at + 8 <= bytes.length ? view(bytes).getBigUint64(at, little) : 0n)
export const u16be = (bytes: Uint8Array, at = 0): number => (at + 2 <= bytes.length ? view(bytes).getUint16(at, false) : 0)
export const u32be = (bytes: Uint8Array, at = 0): number => (at + 4 <= bytes.length ? view(bytes).getUint32(at, false) : 0)
export const u64be = (bytes: Uint8Array, at = 0): bigint => (at + 8 <= bytes.length ? view(bytes).getBigUint64(at, false) : 0n)

/** Up to the first zero byte. */
export function text(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return Buffer.from(bytes.buffer, bytes.byteOffset, end < 0 ? bytes.length : end).toString('utf8')
}
