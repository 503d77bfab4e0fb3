import { formatPrefix, type Prefix, refused } from './prefix.js'

/**
 * The address that a MAC stands for in a /64 or larger subnet: modified EUI-64, RFC 4291 appendix A.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT
 */
export function eui64Address(subnet: Prefix, mac: string | undefined): bigint {
  if (subnet.family !== 6) throw refused('options', 'an address from the MAC exists only in IPv6')
  if (subnet.length > 64) throw refused('options', `an address from the MAC takes 64 bits, ${formatPrefix(subnet)} has fewer`)
  if (mac === undefined) throw refused('mac', 'missing, and the address is to be made from it')
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw refused('mac', `${mac} is not a MAC of 6 bytes`)
  const bytes = mac.split(':').map((byte) => BigInt(`0x${byte}`))
  // The bit that says "universal" is inverted, and ff:fe goes into the middle.
  bytes[0]! ^= 2n
  bytes.splice(3, 0, 0xffn, 0xfen)
  return subnet.start + bytes.reduce((value, byte) => (value << 8n) | byte, 0n)
}
