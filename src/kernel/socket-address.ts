/** struct sockaddr_in, sockaddr_in6 and sockaddr_un (ip(7), ipv6(7), unix(7)). */
import { endianness } from 'node:os'
import { CnmError } from '../contracts/errors.js'
import { ipBytes, ipFamily, ipText } from './netlink/ip.js'
import { AF_INET, AF_INET6, AF_UNIX } from './syscalls.js'

const little = endianness() === 'LE'
const IPV4_LENGTH = 16
const IPV6_LENGTH = 28
const MOST_PATH_BYTES = 107

export interface InternetAddress {
  address: string
  port: number
}

/** @param scope interface index, for link-local IPv6 addresses */
export function internetAddress({ address, port }: InternetAddress, scope = 0): Uint8Array {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `port: ${String(port)} is not a port`, { field: 'port' })
  }
  const ip = ipBytes(address)
  const family = ipFamily(ip)
  const bytes = new Uint8Array(family === AF_INET ? IPV4_LENGTH : IPV6_LENGTH)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, family, little)
  view.setUint16(2, port)
  bytes.set(ip, family === AF_INET ? 4 : 8)
  if (family === AF_INET6) view.setUint32(24, scope, little)
  return bytes
}

export function parseInternetAddress(bytes: Uint8Array): InternetAddress {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const ip = view.getUint16(0, little) === AF_INET ? bytes.subarray(4, 8) : bytes.subarray(8, 24)
  return { address: ipText(ip), port: view.getUint16(2) }
}

/** A path begins with `/`; a name that begins with a zero byte or `@` is abstract and belongs to a network namespace. */
export function unixAddress(name: string): Uint8Array {
  const abstract = name.startsWith('@') || name.startsWith('\0')
  const text = Buffer.from(abstract ? name.slice(1) : name, 'utf8')
  if (text.length === 0 || text.length > MOST_PATH_BYTES || (!abstract && text.includes(0))) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `path: ${JSON.stringify(name)} does not fit a unix address`, { field: 'path' })
  }
  // An abstract name is as long as the address says, with a zero byte in front; a path has one behind.
  const bytes = new Uint8Array(2 + text.length + 1)
  new DataView(bytes.buffer).setUint16(0, AF_UNIX, little)
  bytes.set(text, abstract ? 3 : 2)
  return bytes
}
