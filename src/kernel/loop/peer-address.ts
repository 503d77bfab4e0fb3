import { isIPv4 } from 'node:net'
import type { Arena } from './arena.js'
import { AF_INET, AF_INET6 } from './system-calls.js'

/** Size of the larger one, struct sockaddr_in6. */
export const SOCKET_ADDRESS = 28

/** Writes a struct sockaddr_in or sockaddr_in6. @returns its length */
export function writeSocketAddress(arena: Arena, at: number, address: Uint8Array, port: number, scope: number): number {
  const { bytes, words } = arena
  bytes.fill(0, at, at + SOCKET_ADDRESS)
  words[at >> 2] = address.length === 4 ? AF_INET : AF_INET6
  bytes.writeUInt16BE(port, at + 2)
  bytes.set(address, at + (address.length === 4 ? 4 : 8))
  if (address.length === 4) return 16
  words[(at + 24) >> 2] = scope
  return SOCKET_ADDRESS
}

/** `fe80::1%eth0`: the address and the interface that it is scoped to. */
export function splitScope(text: string): { address: string; scope?: string } {
  const at = text.indexOf('%')
  return at === -1 || isIPv4(text) ? { address: text } : { address: text.slice(0, at), scope: text.slice(at + 1) }
}
