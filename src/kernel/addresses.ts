/**
 * IP and MAC addresses between text and bytes, for code that does it thousands of times: no regular expressions, no
 * arrays in between. Reading is strict: what inet_aton(3) would guess at (octal, short forms) and zone ids are refused.
 * Writing is canonical: dotted decimal, RFC 5952, lower-case MACs.
 */
import { CnmError } from '../contracts/errors.js'

export const AF_INET = 2
export const AF_INET6 = 10
export const IPV4_BYTES = 4
export const IPV6_BYTES = 16
export const MAC_BYTES = 6

const ZERO = 0x30
const NINE = 0x39
const COLON = 0x3a
const DOT = 0x2e

/** The family that the text would have, if it is an address at all. */
export const isIpv6Text = (text: string): boolean => text.includes(':')

/** Bytes that the address in `text` takes: 4 or 16. */
export const ipSize = (text: string): number => (isIpv6Text(text) ? IPV6_BYTES : IPV4_BYTES)

/**
 * Writes the address in `text` into `bytes`.
 * @param end where the address ends in the text (before a `/`)
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT naming `field`
 */
export function putIp(text: string, bytes: Uint8Array, at: number, field = 'address', end = text.length): void {
  const valid = isIpv6Text(text) ? putIpv6(text, end, bytes, at) : putIpv4(text, 0, end, bytes, at)
  if (!valid) throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${JSON.stringify(text)} is not an IP address`, { field })
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT naming `field` */
export function ipToBytes(text: string, field = 'address'): Uint8Array {
  if (typeof text !== 'string')
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${JSON.stringify(text)} is not an IP address`, { field })
  const bytes = new Uint8Array(ipSize(text))
  putIp(text, bytes, 0, field)
  return bytes
}

/** Text of the address of `size` bytes (4 or 16) at an offset; any other size, or too few bytes, gives an empty string. */
export function ipToText(bytes: Uint8Array, at = 0, size = bytes.length - at): string {
  if (at + size > bytes.length) return ''
  if (size === IPV4_BYTES) return `${bytes[at]!}.${bytes[at + 1]!}.${bytes[at + 2]!}.${bytes[at + 3]!}`
  return size === IPV6_BYTES ? ipv6Text(bytes, at) : ''
}

/** The one way to write the address. @throws CnmError ERR_CNM_INVALID_ARGUMENT naming `field` */
export const canonicalIp = (text: string, field?: string): string => ipToText(ipToBytes(text, field))

/** Writes six bytes. @throws CnmError ERR_CNM_INVALID_ARGUMENT naming `field` */
export function putMac(text: string, bytes: Uint8Array, at: number, field = 'mac'): void {
  let valid = typeof text === 'string' && text.length === 17
  for (let i = 0; valid && i < MAC_BYTES; i++) {
    const high = hexDigit(text.charCodeAt(i * 3))
    const low = hexDigit(text.charCodeAt(i * 3 + 1))
    valid = high >= 0 && low >= 0 && (i === 5 || text.charCodeAt(i * 3 + 2) === COLON)
    bytes[at + i] = (high << 4) | low
  }
  if (!valid) throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${JSON.stringify(text)} is not a MAC address`, { field })
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT naming `field` */
export function macToBytes(text: string, field = 'mac'): Uint8Array {
  const bytes = new Uint8Array(MAC_BYTES)
  putMac(text, bytes, 0, field)
  return bytes
}

/** `02:42:ac:11:00:02`; other than six bytes give an empty string. */
export function macToText(bytes: Uint8Array): string {
  if (bytes.length !== MAC_BYTES) return ''
  let text = HEX_BYTES[bytes[0]!]!
  for (let i = 1; i < MAC_BYTES; i++) text += `:${HEX_BYTES[bytes[i]!]!}`
  return text
}

const HEX_BYTES: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

function hexDigit(code: number): number {
  if (code >= ZERO && code <= NINE) return code - ZERO
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function putIpv4(text: string, from: number, end: number, bytes: Uint8Array, at: number): boolean {
  let i = from
  for (let octet = 0; octet < IPV4_BYTES; octet++) {
    if (octet > 0 && (i >= end || text.charCodeAt(i++) !== DOT)) return false
    const start = i
    let value = 0
    for (; i < end && i - start < 4; i++) {
      const digit = text.charCodeAt(i) - ZERO
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    const digits = i - start
    if (digits === 0 || value > 255 || (digits > 1 && text.charCodeAt(start) === ZERO)) return false
    bytes[at + octet] = value
  }
  return i === end
}

/** RFC 4291, section 2.2. */
function putIpv6(text: string, end: number, bytes: Uint8Array, at: number): boolean {
  let i = 0
  let words = 0
  let gap = -1
  if (text.charCodeAt(0) === COLON) {
    if (end < 2 || text.charCodeAt(1) !== COLON) return false
    gap = 0
    i = 2
  }
  while (i < end) {
    if (words === 8) return false
    const start = i
    let value = 0
    for (; i < end && i - start < 5; i++) {
      const digit = hexDigit(text.charCodeAt(i))
      if (digit < 0) break
      value = (value << 4) | digit
    }
    if (i < end && text.charCodeAt(i) === DOT) {
      if (words > 6 || !putIpv4(text, start, end, bytes, at + words * 2)) return false
      words += 2
      break
    }
    if (i === start || i - start > 4) return false
    bytes[at + words * 2] = value >> 8
    bytes[at + words * 2 + 1] = value & 0xff
    words++
    if (i === end) break
    if (text.charCodeAt(i++) !== COLON || i === end) return false
    if (text.charCodeAt(i) === COLON) {
      if (gap >= 0) return false
      gap = words
      i++
    }
  }
  return gap < 0 ? words === 8 : openGap(bytes, at, gap, words)
}

/** Moves what follows `::` to the end. The gap stands for one group of zeros at least. */
function openGap(bytes: Uint8Array, at: number, gap: number, words: number): boolean {
  if (words > 7) return false
  const tail = at + IPV6_BYTES - (words - gap) * 2
  bytes.copyWithin(tail, at + gap * 2, at + words * 2)
  bytes.fill(0, at + gap * 2, tail)
  return true
}

const word = (bytes: Uint8Array, at: number, i: number): number => (bytes[at + i * 2]! << 8) | bytes[at + i * 2 + 1]!

/** RFC 5952: the longest run of two or more zero groups, the first of equal ones, is `::`; mapped IPv4 stays dotted. */
function ipv6Text(bytes: Uint8Array, at: number): string {
  let gap = -1
  let gapLength = 1
  for (let i = 0, run = 0; i < 8; i++) {
    run = word(bytes, at, i) === 0 ? run + 1 : 0
    if (run > gapLength) {
      gapLength = run
      gap = i - run + 1
    }
  }
  if (gap === 0 && gapLength === 5 && word(bytes, at, 5) === 0xffff) return `::ffff:${ipToText(bytes, at + 12, IPV4_BYTES)}`
  let text = ''
  for (let i = 0; i < 8; i++) {
    if (i === gap) {
      text += '::'
      i += gapLength - 1
    } else {
      if (i > 0 && i !== gap + gapLength) text += ':'
      text += word(bytes, at, i).toString(16)
    }
  }
  return text
}
