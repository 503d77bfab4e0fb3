import type { LeaseContext } from '../../src/contracts/index.js'
import { OPTION } from './wire/codes.js'
import { macBytes, textOption } from './wire/message.js'

/**
 * What a client says of itself to the server.
 * - `endpoint`: an id made of the endpoint's (RFC 4361), the same at every join, and its own also where several
 *   interfaces share a MAC (ipvlan).
 * - `mac`: the MAC, for servers whose reservations go by it alone.
 */
export type ClientIdKind = 'endpoint' | 'mac'

const RFC4361 = 255
const DUID_UUID = [0, 4]
const ETHERNET = 1
const UUID_DIGITS = 32
const IAID_DIGITS = 8

export function clientId(kind: ClientIdKind, owner: string, mac: string): Uint8Array {
  if (kind === 'mac') return Uint8Array.of(ETHERNET, ...macBytes(mac))
  const bytes = Buffer.from(owner, 'hex')
  // What is no endpoint's id is taken as it is.
  if (bytes.length * 2 < UUID_DIGITS + IAID_DIGITS) return Uint8Array.of(0, ...textOption(owner))
  const duid = bytes.subarray(0, UUID_DIGITS / 2)
  const iaid = bytes.subarray(UUID_DIGITS / 2, (UUID_DIGITS + IAID_DIGITS) / 2)
  return Uint8Array.of(RFC4361, ...iaid, ...DUID_UUID, ...duid)
}

/** Options that every message of a client has. */
export function identityOptions(kind: ClientIdKind, owner: string, { mac, hostname }: LeaseContext): Map<number, Uint8Array> {
  const options = new Map<number, Uint8Array>([
    [OPTION.clientId, clientId(kind, owner, mac)],
    [OPTION.vendorClass, textOption('libcnm')],
  ])
  if (hostname !== undefined && hostname !== '') options.set(OPTION.hostName, textOption(hostname))
  return options
}
