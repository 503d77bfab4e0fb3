/** IP addresses and prefixes as netlink carries them, where one is handled at a time; see addresses.ts for many. */
import { AF_INET, AF_INET6, ipToBytes, ipToText, IPV4_BYTES, isIpv6Text } from '../addresses.js'
import { prefixLength, putPrefixAddress } from '../prefixes.js'

export { AF_INET, AF_INET6 }

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT naming `field`; zone ids (`fe80::1%eth0`) are refused too */
export const ipBytes = (text: string, field?: string): Uint8Array => ipToBytes(text, field)

/** Canonical text of 4 or 16 bytes; anything else (a cut reply) gives an empty string. */
export const ipText = (bytes: Uint8Array): string => ipToText(bytes)

/** AF_INET or AF_INET6 by the length of the bytes. */
export const ipFamily = (bytes: Uint8Array): number => (bytes.length === IPV4_BYTES ? AF_INET : AF_INET6)

export interface Prefix {
  bytes: Uint8Array
  length: number
}

/** `10.0.0.0/8`; without a length the whole address. Host bits are kept. */
export function prefixBytes(text: string, field = 'prefix'): Prefix {
  // The type is only a promise of callers in JavaScript.
  if (typeof text !== 'string') return { bytes: ipToBytes(text, field), length: 0 }
  const bytes = new Uint8Array(isIpv6Text(text) ? 16 : IPV4_BYTES)
  putPrefixAddress(text, bytes, 0, field)
  return { bytes, length: prefixLength(text, field) }
}

export const prefixText = ({ bytes, length }: Prefix): string => `${ipText(bytes)}/${length}`
