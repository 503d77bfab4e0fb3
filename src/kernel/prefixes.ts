import { CnmError } from '../contracts/errors.js'
import { ipToText, IPV4_BYTES, IPV6_BYTES, isIpv6Text, putIp } from './addresses.js'

const ZERO = 0x30

/**
 * Length of the prefix in `10.0.0.0/8`; of an address without one the whole of it.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT naming `field`
 */
export function prefixLength(text: string, field: string): number {
  const bits = isIpv6Text(text) ? 128 : 32
  const slash = text.indexOf('/')
  if (slash < 0) return bits
  const digits = text.length - slash - 1
  let length = 0
  for (let i = slash + 1; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO
    length = digit >= 0 && digit <= 9 ? length * 10 + digit : Infinity
  }
  const padded = digits > 1 && text.charCodeAt(slash + 1) === ZERO
  if (digits === 0 || digits > 3 || padded || length > bits) throw refused(text, field, 'has no valid prefix length')
  return length
}

/** Writes the address before the `/`. @throws CnmError ERR_CNM_INVALID_ARGUMENT naming `field` */
export function putPrefixAddress(text: string, bytes: Uint8Array, at: number, field: string): void {
  const slash = text.indexOf('/')
  putIp(text, bytes, at, field, slash < 0 ? text.length : slash)
}

/**
 * Like {@link putPrefixAddress}, for a network: no bit may be set behind the prefix. The kernel refuses such routes of
 * IPv4 and clears the bits in those of IPv6, after which it would be another route than the one that was asked for.
 */
export function putNetwork(text: string, bytes: Uint8Array, at: number, length: number, field: string): void {
  putPrefixAddress(text, bytes, at, field)
  const size = isIpv6Text(text) ? IPV6_BYTES : IPV4_BYTES
  for (let i = length >> 3; i < size; i++) {
    const host = i === length >> 3 ? 0xff >> (length & 7) : 0xff
    if ((bytes[at + i]! & host) !== 0)
      throw refused(text, field, `has bits set behind its prefix; the network is ${networkOf(bytes, at, size, length)}`)
  }
}

function networkOf(bytes: Uint8Array, at: number, size: number, length: number): string {
  const network = bytes.slice(at, at + size)
  for (let i = length >> 3; i < size; i++) network[i]! &= i === length >> 3 ? ~(0xff >> (length & 7)) : 0
  return `${ipToText(network)}/${length}`
}

const refused = (text: string, field: string, why: string): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${JSON.stringify(text)} ${why}`, { field })
