import { isIPv4, isIPv6 } from 'node:net'
import { TYPE_A, TYPE_AAAA } from '../wire/constants.js'
import { toWireName, type WireName } from '../wire/names.js'

/** Size of a prebuilt A record: pointer to the question's name, type, class, TTL, length, address. */
export const A_RECORD = 16
export const AAAA_RECORD = 28

/** Bytes of an address, with or without prefix length. @returns undefined when it is none */
export function addressBytes(text: string): Uint8Array | undefined {
  const plain = text.split('/', 1)[0]!.split('%', 1)[0]!
  if (isIPv4(plain)) return Uint8Array.from(plain.split('.'), Number)
  return isIPv6(plain) ? ipv6Bytes(plain) : undefined
}

function ipv6Bytes(text: string): Uint8Array {
  const [left = '', right] = text.split('::') as [string, string | undefined]
  const head = words(left)
  const tail = words(right ?? '')
  const bytes = new Uint8Array(16)
  const put = (list: number[], at: number): void => list.forEach((word, i) => bytes.set([word >> 8, word & 0xff], at + i * 2))
  put(head, 0)
  put(tail, 16 - tail.length * 2)
  return bytes
}

/** Groups of an IPv6 address, with the last two of `::ffff:192.0.2.1` in dots. */
function words(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((part) => {
    if (!part.includes('.')) return [parseInt(part, 16)]
    const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number)
    return [(a << 8) | b, (c << 8) | d]
  })
}

/** Prebuilt answer records for the addresses of one family, one after the other. */
export function addressRecords(addresses: readonly Uint8Array[], length: 4 | 16, ttl: number): Uint8Array {
  const chosen = addresses.filter((address) => address.length === length)
  const size = length + 12
  const records = Buffer.alloc(chosen.length * size)
  chosen.forEach((address, i) => {
    const at = i * size
    records.writeUInt16BE(0xc00c, at)
    records.writeUInt16BE(length === 4 ? TYPE_A : TYPE_AAAA, at + 2)
    records.writeUInt16BE(1, at + 4)
    records.writeUInt32BE(ttl, at + 6)
    records.writeUInt16BE(length, at + 10)
    records.set(address, at + 12)
  })
  return records
}

/** The name under which PTR records of an address are: `1.0.0.10.in-addr.arpa`, `….ip6.arpa`. */
export function reverseName(address: Uint8Array): WireName {
  const labels =
    address.length === 4
      ? [...address].reverse().map(String)
      : [...address].reverse().flatMap((byte) => [(byte & 0xf).toString(16), (byte >> 4).toString(16)])
  return toWireName(`${labels.join('.')}.${address.length === 4 ? 'in-addr' : 'ip6'}.arpa`)!
}
