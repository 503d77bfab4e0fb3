/**
 * IP addresses as netlink carries them (4 or 16 bytes in network order) and as libcnm writes them: dotted decimal,
 * and the canonical text of RFC 5952 for IPv6.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { CnmError } from '../../contracts/errors.js'

export const AF_INET = 2
export const AF_INET6 = 10

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT naming `field`; zone ids (`fe80::1%eth0`) are refused too */
export function ipBytes(text: string, field = 'address'): Uint8Array {
  if (typeof text === 'string') {
    if (isIPv4(text)) return Uint8Array.from(text.split('.'), Number)
    if (isIPv6(text) && !text.includes('%')) return ipv6Bytes(text)
  }
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${JSON.stringify(text)} is not an IP address`, { field })
}

/** Canonical text of 4 or 16 bytes; anything else (a cut reply) gives an empty string. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  return bytes.length === 16 ? ipv6Text(bytes) : ''
}

/** AF_INET or AF_INET6 by the length of the bytes. */
export const ipFamily = (bytes: Uint8Array): number => (bytes.length === 4 ? AF_INET : AF_INET6)

export interface Prefix {
  bytes: Uint8Array
  length: number
}

/** `10.0.0.0/8`; without a length the whole address. Host bits are kept. */
export function prefixBytes(text: string, field = 'prefix'): Prefix {
  const slash = typeof text === 'string' ? text.indexOf('/') : -1
  if (slash < 0) {
    const bytes = ipBytes(text, field)
    return { bytes, length: bytes.length * 8 }
  }
  const bytes = ipBytes(text.slice(0, slash), field)
  const digits = text.slice(slash + 1)
  const length = /^\d{1,3}$/.test(digits) ? Number(digits) : -1
  if (length < 0 || length > bytes.length * 8) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${JSON.stringify(text)} has no valid prefix length`, { field })
  }
  return { bytes, length }
}

export const prefixText = ({ bytes, length }: Prefix): string => `${ipText(bytes)}/${length}`

function ipv6Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(16)
  const [head = '', tail] = text.split('::')
  const front = groups(head)
  const back = tail === undefined ? [] : groups(tail)
  front.forEach((group, i) => setGroup(bytes, i, group))
  back.forEach((group, i) => setGroup(bytes, 8 - back.length + i, group))
  return bytes
}

function setGroup(bytes: Uint8Array, index: number, group: number): void {
  bytes[index * 2] = group >> 8
  bytes[index * 2 + 1] = group & 0xff
}

function groups(part: string): number[] {
  if (part === '') return []
  return part.split(':').flatMap((word) => {
    if (!word.includes('.')) return [parseInt(word, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = word.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

function ipv6Text(bytes: Uint8Array): string {
  const words: number[] = []
  for (let i = 0; i < 16; i += 2) words.push((bytes[i]! << 8) | bytes[i + 1]!)
  if (words.slice(0, 5).every((word) => word === 0) && words[5] === 0xffff) return `::ffff:${bytes.subarray(12).join('.')}`
  const { start, length } = longestZeroRun(words)
  const hex = words.map((word) => word.toString(16))
  if (length < 2) return hex.join(':')
  return `${hex.slice(0, start).join(':')}::${hex.slice(start + length).join(':')}`
}

function longestZeroRun(words: number[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < words.length; start++) {
    let length = 0
    while (words[start + length] === 0) length++
    if (length > best.length) best = { start, length }
  }
  return best
}
