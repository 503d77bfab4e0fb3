/** Constants between their JSON form and the bytes of a register. */
import { isIPv6 } from 'node:net'
import type { KeyPart, Scalar } from '../../contracts/firewall-types.js'
import { ipBytes, ipText, prefixBytes } from '../netlink/ip.js'
import * as bits from './bytes.js'
import { byteLength, type DataType } from './data-types.js'
import { refusal } from './refusal.js'
import { symbolName, symbolNumber } from './symbols.js'

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i
const LOOPBACK_INDEX = 1
const DOT = 0x2e
const ZERO = 0x30

/** Bytes in the order that the type has in registers. Lists of flags are combined. */
export function encodeValue(type: DataType, value: Scalar | Scalar[], field: string): Uint8Array {
  if (Array.isArray(value)) return encodeFlags(type, value, field)
  switch (type.form) {
    case 'ipv4': {
      const bytes = typeof value === 'string' ? ipv4Bytes(value) : undefined
      if (bytes === undefined) throw refusal(field, `${JSON.stringify(value)} is not an IPv4 address`)
      return bytes
    }
    case 'ipv6':
      if (typeof value !== 'string' || !isIPv6(value)) throw refusal(field, `${JSON.stringify(value)} is not an IPv6 address`)
      return ipBytes(value, field)
    case 'ether':
      if (typeof value !== 'string' || !MAC.test(value)) throw refusal(field, `${JSON.stringify(value)} is not an Ethernet address`)
      return Uint8Array.from(value.split(':'), (byte) => parseInt(byte, 16))
    case 'string':
      return encodeString(type, value, field)
    case 'boolean':
      if (typeof value !== 'boolean') throw refusal(field, `true or false is needed, not ${JSON.stringify(value)}`)
      return bits.numberToBytes(value ? 1n : 0n, byteLength(type), 'host')!
    default:
      return encodeNumber(type, value, field)
  }
}

export function decodeValue(type: DataType, bytes: Uint8Array): Scalar | Scalar[] {
  if (type.flags === true) {
    const names = flagNames(type, bytes)
    if (names !== undefined) return names
  }
  return decodeScalar(type, bytes)
}

/** Like {@link decodeValue}, but several flags give a number. */
export function decodeScalar(type: DataType, bytes: Uint8Array): Scalar {
  switch (type.form) {
    case 'ipv4':
    case 'ipv6':
      return ipText(bytes)
    case 'ether':
      return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':')
    case 'string': {
      const end = bytes.indexOf(0)
      return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8')
    }
    case 'boolean':
      return !bits.isZero(bytes)
    default: {
      const number = bits.bytesToNumber(bytes, type.order)
      const name = type.symbols !== undefined && number <= 0xffff_ffffn ? symbolName(type.symbols, Number(number)) : undefined
      if (name === undefined && type.name === 'iface_index' && number === BigInt(LOOPBACK_INDEX)) return 'lo'
      return name ?? bits.jsonNumber(number)
    }
  }
}

/** A value, prefix, wildcard or range as its first and last value, both in network order. */
export function encodeInterval(type: DataType, part: KeyPart, field: string): { low: Uint8Array; high: Uint8Array } {
  if (typeof part === 'object') {
    const [first, last] = part.range
    const low = inNetworkOrder(type, encodeValue(type, first, field))
    const high = inNetworkOrder(type, encodeValue(type, last, field))
    if (bits.compareBytes(low, high) > 0) throw refusal(field, `the range ${first}-${last} is empty`)
    return { low, high }
  }
  const prefix = typeof part === 'string' ? encodePrefix(type, part, field) : undefined
  if (prefix !== undefined) {
    const mask = bits.prefixMask(type.bits, prefix.length)
    if (!bits.isZero(bits.and(prefix.bytes, bits.not(mask)))) throw refusal(field, `${part} has bits set behind its prefix`)
    return { low: prefix.bytes, high: bits.or(prefix.bytes, bits.not(mask)) }
  }
  const bytes = inNetworkOrder(type, encodeValue(type, part, field))
  return { low: bytes, high: bytes }
}

/** The inverse of {@link encodeInterval}, in normal form: a value, a prefix of addresses or names, or a range. */
export function decodeInterval(type: DataType, low: Uint8Array, high: Uint8Array): KeyPart {
  const value = (bytes: Uint8Array): Scalar => decodeScalar(type, inNetworkOrder(type, bytes))
  if (bits.sameBytes(low, high)) return value(low)
  const length = bits.rangePrefixLength(low, high)
  if (length !== undefined) {
    if (type.form === 'ipv4' || type.form === 'ipv6') return `${ipText(low)}/${length}`
    if (type.form === 'string' && length % 8 === 0 && length > 0 && !low.subarray(0, length / 8).includes(0)) {
      return `${Buffer.from(low.subarray(0, length / 8)).toString('utf8')}*`
    }
  }
  return { range: [value(low), value(high)] }
}

/** `10.0.0.0/8` or `eth*` with the number of bits that count; `undefined` for anything else. */
export function encodePrefix(type: DataType, text: string, field: string): { bytes: Uint8Array; length: number } | undefined {
  if ((type.form === 'ipv4' || type.form === 'ipv6') && text.includes('/')) {
    const prefix = prefixBytes(text, field)
    if (prefix.bytes.length !== byteLength(type)) throw refusal(field, `${text} is of the other address family`)
    return prefix
  }
  if (type.form === 'string' && text.endsWith('*')) {
    if (text.length === 1) throw refusal(field, 'a wildcard needs at least one character before the star')
    const bytes = encodeString(type, text.slice(0, -1), field)
    return { bytes, length: Buffer.byteLength(text) * 8 - 8 }
  }
  return undefined
}

/** Interval sets and ranges compare bytes from left to right, so that numbers in host order are turned round. */
export function inNetworkOrder(type: DataType, bytes: Uint8Array): Uint8Array {
  return needsSwap(type) && bits.LITTLE_ENDIAN ? bytes.slice().reverse() : bytes
}

/** Whether a register with this type has to be converted before it is compared by size. */
export const needsSwap = (type: DataType): boolean => type.order === 'host' && type.form === 'integer' && byteLength(type) > 1

/** Four numbers of up to 255 without leading zeros. Elements are many, so this does without regular expressions. */
function ipv4Bytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4)
  let part = 0
  let digits = 0
  let number = 0
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : DOT
    if (code === DOT) {
      if (digits === 0 || part > 3) return undefined
      bytes[part++] = number
      digits = number = 0
    } else {
      if (code < ZERO || code > ZERO + 9 || (digits > 0 && number === 0)) return undefined
      number = number * 10 + code - ZERO
      digits++
      if (number > 255) return undefined
    }
  }
  return part === 4 ? bytes : undefined
}

function encodeString(type: DataType, value: Scalar, field: string): Uint8Array {
  const length = byteLength(type)
  const text = typeof value === 'string' ? Buffer.from(value, 'utf8') : undefined
  if (text === undefined || text.length === 0 || text.length >= length || text.includes(0)) {
    throw refusal(field, `${JSON.stringify(value)} is not a name of 1 to ${length - 1} bytes`)
  }
  const bytes = new Uint8Array(length)
  bytes.set(text)
  return bytes
}

function encodeNumber(type: DataType, value: Scalar, field: string): Uint8Array {
  const symbol = typeof value === 'string' && type.symbols !== undefined ? symbolNumber(type.symbols, value) : value
  if (typeof symbol === 'number' && type.bits <= 32 && Number.isInteger(symbol) && symbol >= 0 && symbol < 2 ** type.bits) {
    return bits.smallNumberToBytes(symbol, byteLength(type), type.order)
  }
  const number = toInteger(type, value)
  const bytes =
    number === undefined || number >> BigInt(type.bits) !== 0n ? undefined : bits.numberToBytes(number, byteLength(type), type.order)
  if (bytes === undefined) throw refusal(field, `${JSON.stringify(value)} is not of the type ${type.name} (${type.bits} bits)`)
  return bytes
}

function toInteger(type: DataType, value: Scalar): bigint | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined
  if (typeof value !== 'string') return undefined
  const symbol = type.symbols === undefined ? undefined : symbolNumber(type.symbols, value)
  if (symbol !== undefined) return BigInt(symbol)
  if (type.name === 'iface_index' && value === 'lo') return BigInt(LOOPBACK_INDEX)
  return /^\d{1,40}$/.test(value) ? BigInt(value) : undefined
}

function encodeFlags(type: DataType, names: Scalar[], field: string): Uint8Array {
  if (type.flags !== true) throw refusal(field, `a list is only for flags, and ${type.name} has none`)
  let value = 0n
  for (const name of names) value |= bits.bytesToNumber(encodeNumber(type, name, field), type.order)
  return bits.numberToBytes(value, byteLength(type), type.order)!
}

/** Names of the bits that are set: a list of two or more, or `undefined` if one has no name or there are fewer. */
function flagNames(type: DataType, bytes: Uint8Array): string[] | undefined {
  const value = bits.bytesToNumber(bytes, type.order)
  const found = (type.symbols ?? []).filter(([, bit]) => value & BigInt(bit))
  const sum = found.reduce((total, [, bit]) => total | BigInt(bit), 0n)
  return found.length > 1 && sum === value ? found.map(([name]) => name) : undefined
}
