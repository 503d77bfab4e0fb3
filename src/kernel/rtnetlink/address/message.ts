import type { AddressObject } from '../../../contracts/kernel-objects.js'
import { isIpv6Text, putIp } from '../../addresses.js'
import type { MessageWriter } from '../../netlink/writer.js'
import { prefixLength } from '../../prefixes.js'
import { attrIp, attrPrefixAddress, familyOf } from '../address-attributes.js'
import { boolean, integer, invalid, numberOf } from '../input.js'

const IFA_ADDRESS = 1
const IFA_LOCAL = 2
const IFA_BROADCAST = 4
const IFA_FLAGS = 8
const IFA_RT_PRIORITY = 9
export const IFA_F_NODAD = 0x02
export const IFA_F_NOPREFIXROUTE = 0x200

export const SCOPE = { global: 0, link: 253, host: 254 } as const

/** One message about an address: struct ifaddrmsg of linux/if_addr.h. @param index of its link */
export function writeAddress(writer: MessageWriter, type: number, flags: number, object: AddressObject, index: number): void {
  const { address, peer, broadcast } = object
  if (typeof address !== 'string') throw invalid('address', `${JSON.stringify(address)} is not an address`)
  const length = prefixLength(address, 'address')
  const scope = numberOf(object.scope ?? usualScope(address), SCOPE, 'scope')
  writer.begin(type, flags).u8(familyOf(address)).u8(length).u8(0).u8(scope).u32(index)
  attrPrefixAddress(writer, IFA_LOCAL, address, 'address')
  writePeer(writer, address, peer)
  if (broadcast !== undefined) {
    if (isIpv6Text(address) || isIpv6Text(broadcast)) throw invalid('broadcast', 'IPv6 has none')
    attrIp(writer, IFA_BROADCAST, broadcast, 'broadcast')
  }
  const bits = addressFlags(object)
  if (bits !== 0) writer.attrU32(IFA_FLAGS, bits)
  if (object.metric !== undefined) writer.attrU32(IFA_RT_PRIORITY, integer(object.metric, 'metric'))
  writer.end()
}

/** The scope that an address has when nothing is said: the kernel works it out for IPv6, ip(8) for IPv4. */
export function usualScope(address: string): keyof typeof SCOPE {
  if (!isIpv6Text(address)) return address.startsWith('127.') ? 'host' : 'global'
  const bytes = new Uint8Array(16)
  const slash = address.indexOf('/')
  putIp(address, bytes, 0, 'address', slash < 0 ? address.length : slash)
  if (bytes[0] === 0xfe && (bytes[1]! & 0xc0) === 0x80) return 'link'
  return bytes[15] === 1 && bytes.indexOf(1) === 15 && bytes.every((byte, i) => i === 15 || byte === 0) ? 'host' : 'global'
}

function writePeer(writer: MessageWriter, address: string, peer: string | undefined): void {
  if (peer === undefined) return attrPrefixAddress(writer, IFA_ADDRESS, address, 'address')
  if (isIpv6Text(peer) !== isIpv6Text(address)) throw invalid('peer', `${peer} is of another family than ${address}`)
  attrIp(writer, IFA_ADDRESS, peer, 'peer')
}

function addressFlags({ address, noPrefixRoute = false, noDad = false }: AddressObject): number {
  if (boolean(noDad, 'noDad') && !isIpv6Text(address)) throw invalid('noDad', 'only IPv6 addresses are checked for duplicates')
  return (noDad ? IFA_F_NODAD : 0) | (boolean(noPrefixRoute, 'noPrefixRoute') ? IFA_F_NOPREFIXROUTE : 0)
}
