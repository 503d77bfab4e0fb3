import { CnmError } from '../../contracts/errors.js'
import type { WireguardPeer } from '../../contracts/kernel-objects.js'
import { ipFamily, prefixBytes } from '../netlink/ip.js'
import type { MessageWriter } from '../netlink/writer.js'
import * as wg from './attributes.js'
import { endpointBytes } from './endpoint.js'
import { NO_KEY, wireguardKey } from './key.js'

/** One step about one peer: make it as described, whatever it was, or remove it. */
export type PeerChange = { set: WireguardPeer } | { remove: string }

/** A part of a peer that fits into a message. */
export interface PeerFragment {
  publicKey: string
  remove?: boolean
  /** Everything but the addresses; only in the first fragment of a peer. */
  settings?: WireguardPeer
  addresses: string[]
}

/** 40 bytes each at most, so that a fragment stays below 20 KB. */
const ADDRESSES = 500

export function* fragments(changes: PeerChange[]): Generator<PeerFragment> {
  for (const change of changes) {
    if ('remove' in change) {
      yield { publicKey: change.remove, remove: true, addresses: [] }
      continue
    }
    const { publicKey, allowedAddresses } = change.set
    yield { publicKey, settings: change.set, addresses: allowedAddresses.slice(0, ADDRESSES) }
    for (let at = ADDRESSES; at < allowedAddresses.length; at += ADDRESSES)
      yield { publicKey, addresses: allowedAddresses.slice(at, at + ADDRESSES) }
  }
}

export function writePeer(writer: MessageWriter, { publicKey, remove, settings, addresses }: PeerFragment): void {
  writer.nest(0, () => {
    writer.attrBytes(wg.PEER_PUBLIC_KEY, wireguardKey(publicKey, 'peers.publicKey'))
    if (remove === true) writer.attrU32(wg.PEER_FLAGS, wg.PEER_REMOVE_ME)
    if (settings !== undefined) writeSettings(writer, settings)
    if (addresses.length > 0) writer.nest(wg.PEER_ALLOWED, () => addresses.forEach((address) => writeAllowed(writer, address)))
  })
}

function writeSettings(writer: MessageWriter, { presharedKey, endpoint, keepalive = 0 }: WireguardPeer): void {
  writer.attrU32(wg.PEER_FLAGS, wg.PEER_REPLACE_ALLOWED)
  writer.attrBytes(
    wg.PEER_PRESHARED_KEY,
    presharedKey === undefined ? Uint8Array.from(NO_KEY) : wireguardKey(presharedKey, 'peers.presharedKey'),
  )
  if (endpoint !== undefined) writer.attrBytes(wg.PEER_ENDPOINT, endpointBytes(endpoint))
  if (!Number.isInteger(keepalive) || keepalive < 0 || keepalive > 65535) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `peers.keepalive: ${keepalive} is not between 0 and 65535 seconds`, {
      field: 'peers.keepalive',
    })
  }
  writer.attrU16(wg.PEER_KEEPALIVE, keepalive)
}

function writeAllowed(writer: MessageWriter, address: string): void {
  const { bytes, length } = prefixBytes(address, 'peers.allowedAddresses')
  writer.nest(0, () =>
    writer.attrU16(wg.ALLOWED_FAMILY, ipFamily(bytes)).attrBytes(wg.ALLOWED_ADDRESS, bytes).attrU8(wg.ALLOWED_LENGTH, length),
  )
}
