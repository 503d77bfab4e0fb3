import { asCnmError } from '../errors.js'
import { GENL_HEADER, genericFamily, genericHeader } from '../generic-netlink.js'
import { AF_INET, AF_INET6, prefixText } from '../netlink/ip.js'
import { attributeMap, attributes, u16, u32, u64, u8 } from '../netlink/reader.js'
import type { NetlinkSocket } from '../netlink/socket.js'
import type { MessageWriter } from '../netlink/writer.js'
import * as wg from './attributes.js'
import { endpointText } from './endpoint.js'
import { keyText } from './key.js'

/** A peer as the kernel has it. Its preshared key is not read. */
export interface WireguardPeerState {
  publicKey: string
  /** Where packets go now: peers that roam change it themselves. */
  endpoint?: string
  keepalive: number
  allowedAddresses: string[]
  /** Seconds since the epoch; absent: never. */
  lastHandshake?: number
  receivedBytes: number
  sentBytes: number
}

/** A device as the kernel has it. The private key is not read; the public key tells whether it is the right one. */
export interface WireguardState {
  publicKey?: string
  listenPort: number
  firewallMark: number
  peers: WireguardPeerState[]
}

/** @param socket NETLINK_GENERIC, in the namespace of the link */
export function readWireguard(socket: NetlinkSocket, link: string): WireguardState {
  try {
    return mergeDevice(dumpDevice(socket, link, parseDevice))
  } catch (error) {
    throw asCnmError(error, `wg show ${link}`, 'link')
  }
}

/** What `parse` makes of each message about a device. */
export function dumpDevice<T>(socket: NetlinkSocket, link: string, parse: (payload: Uint8Array) => T): T[] {
  const body = (writer: MessageWriter): void => {
    genericHeader(writer, wg.GET_DEVICE, wg.VERSION).attrString(wg.DEVICE_IFNAME, link)
  }
  return socket.dump(genericFamily(socket, wg.FAMILY), body, ({ payload }) => parse(payload))
}

/** Peers and addresses that did not fit into one message go on in the next. */
export function mergeDevice(parts: WireguardState[]): WireguardState {
  const device: WireguardState = { ...(parts[0] ?? { listenPort: 0, firewallMark: 0 }), peers: [] }
  for (const peer of parts.flatMap(({ peers }) => peers)) {
    const last = device.peers.at(-1)
    if (last?.publicKey === peer.publicKey) last.allowedAddresses.push(...peer.allowedAddresses)
    else device.peers.push(peer)
  }
  return device
}

export function parseDevice(payload: Uint8Array): WireguardState {
  const device = attributeMap(payload, GENL_HEADER)
  const publicKey = device.get(wg.DEVICE_PUBLIC_KEY)
  return {
    ...(publicKey === undefined ? {} : { publicKey: keyText(publicKey) }),
    listenPort: u16(device.get(wg.DEVICE_LISTEN_PORT) ?? EMPTY),
    firewallMark: u32(device.get(wg.DEVICE_FWMARK) ?? EMPTY),
    peers: [...attributes(device.get(wg.DEVICE_PEERS) ?? EMPTY)].map(({ value }) => parsePeer(value)),
  }
}

const EMPTY = new Uint8Array(0)

function parsePeer(bytes: Uint8Array): WireguardPeerState {
  const peer = attributeMap(bytes)
  const endpoint = endpointText(peer.get(wg.PEER_ENDPOINT) ?? EMPTY)
  const handshake = Number(u64(peer.get(wg.PEER_LAST_HANDSHAKE) ?? EMPTY))
  return {
    publicKey: keyText(peer.get(wg.PEER_PUBLIC_KEY) ?? EMPTY),
    ...(endpoint === undefined ? {} : { endpoint }),
    keepalive: u16(peer.get(wg.PEER_KEEPALIVE) ?? EMPTY),
    allowedAddresses: [...attributes(peer.get(wg.PEER_ALLOWED) ?? EMPTY)].flatMap(({ value }) => parseAllowed(value)),
    ...(handshake === 0 ? {} : { lastHandshake: handshake }),
    receivedBytes: Number(u64(peer.get(wg.PEER_RECEIVED_BYTES) ?? EMPTY)),
    sentBytes: Number(u64(peer.get(wg.PEER_SENT_BYTES) ?? EMPTY)),
  }
}

function parseAllowed(bytes: Uint8Array): string[] {
  const allowed = attributeMap(bytes)
  const address = allowed.get(wg.ALLOWED_ADDRESS)
  const family = u16(allowed.get(wg.ALLOWED_FAMILY) ?? EMPTY)
  if (address?.length !== { [AF_INET]: 4, [AF_INET6]: 16 }[family]) return []
  return address === undefined ? [] : [prefixText({ bytes: address, length: u8(allowed.get(wg.ALLOWED_LENGTH) ?? EMPTY) })]
}
