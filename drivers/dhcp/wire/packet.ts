import { CLIENT_PORT, SERVER_PORT } from './codes.js'
import { addressBytes, addressText } from './message.js'

/**
 * IPv4 and UDP headers around a DHCP message: before an interface has an address, the kernel neither makes nor takes
 * such packets.
 */

const IP_HEADER = 20
const UDP_HEADER = 8
const UDP = 17
const TTL = 64
/** Class selector 6, as other clients have it: ahead of the rest. */
const DSCP = 0xc0
const FRAGMENT = 0x3fff

export const BROADCAST_ADDRESS = '255.255.255.255'

export function encodePacket(source: string, destination: string, payload: Uint8Array): Buffer {
  const packet = Buffer.alloc(IP_HEADER + UDP_HEADER + payload.length)
  packet[0] = 0x45
  packet[1] = DSCP
  packet.writeUInt16BE(packet.length, 2)
  packet[8] = TTL
  packet[9] = UDP
  packet.set(addressBytes(source), 12)
  packet.set(addressBytes(destination), 16)
  packet.writeUInt16BE(checksum(packet.subarray(0, IP_HEADER)), 10)
  const udp = packet.subarray(IP_HEADER)
  udp.writeUInt16BE(CLIENT_PORT, 0)
  udp.writeUInt16BE(SERVER_PORT, 2)
  udp.writeUInt16BE(udp.length, 4)
  udp.set(payload, UDP_HEADER)
  // The addresses, the protocol and the length count too (RFC 768); 0 would mean that there is no checksum.
  udp.writeUInt16BE(checksum(udp, sum(packet.subarray(12, IP_HEADER)) + UDP + udp.length) || 0xffff, 6)
  return packet
}

/**
 * Sender and content of a packet for a DHCP client; `undefined` for any other. Checksums are not looked at: between
 * interfaces of one host nobody computes them.
 */
export function decodePacket(packet: Uint8Array): { source: string; payload: Uint8Array } | undefined {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength)
  const header = ((bytes[0] ?? 0) & 0xf) * 4
  if (bytes.length < header + UDP_HEADER || (bytes[0]! & 0xf0) !== 0x40 || header < IP_HEADER || bytes[9] !== UDP) return undefined
  const udp = bytes.subarray(header)
  const length = udp.readUInt16BE(4)
  if ((bytes.readUInt16BE(6) & FRAGMENT) !== 0 || udp.readUInt16BE(2) !== CLIENT_PORT || length < UDP_HEADER || length > udp.length)
    return undefined
  return { source: addressText(bytes.subarray(12, 16)), payload: udp.subarray(UDP_HEADER, length) }
}

function sum(bytes: Uint8Array): number {
  let total = 0
  for (let at = 0; at < bytes.length; at += 2) total += (bytes[at]! << 8) | (bytes[at + 1] ?? 0)
  return total
}

/** RFC 1071. */
function checksum(bytes: Uint8Array, start = 0): number {
  let total = start + sum(bytes)
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16)
  return ~total & 0xffff
}
