import { endianness } from 'node:os'
import { CnmError } from '../../contracts/errors.js'
import { AF_INET, AF_INET6, ipBytes, ipFamily, ipText } from '../netlink/ip.js'
import { u16, u16be } from '../netlink/reader.js'

const little = endianness() === 'LE'
const SOCKADDR_IN = 16
const SOCKADDR_IN6 = 28

/** `192.0.2.1:51820` or `[2001:db8::1]:51820` to struct sockaddr_in or sockaddr_in6. Names are not looked up. */
export function endpointBytes(endpoint: string): Uint8Array {
  const match = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(typeof endpoint === 'string' ? endpoint : '')
  const port = Number(match?.[3])
  if (match === null || port < 1 || port > 65535) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `endpoint: ${JSON.stringify(endpoint)} is neither address:port nor [address]:port`, {
      field: 'endpoint',
    })
  }
  const address = ipBytes(match[1] ?? match[2] ?? '', 'endpoint')
  const bytes = new Uint8Array(address.length === 4 ? SOCKADDR_IN : SOCKADDR_IN6)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, ipFamily(address), little)
  view.setUint16(2, port)
  bytes.set(address, address.length === 4 ? 4 : 8)
  return bytes
}

/** `undefined` for another address family or a cut reply. */
export function endpointText(bytes: Uint8Array): string | undefined {
  const port = u16be(bytes, 2)
  if (u16(bytes) === AF_INET && bytes.length >= SOCKADDR_IN) return `${ipText(bytes.subarray(4, 8))}:${port}`
  if (u16(bytes) === AF_INET6 && bytes.length >= SOCKADDR_IN6) return `[${ipText(bytes.subarray(8, 24))}]:${port}`
  return undefined
}
