import type { WireguardOptions, WireguardPeer } from '../../contracts/kernel-objects.js'
import { asCnmError } from '../errors.js'
import { GENL_HEADER } from '../generic-netlink.js'
import { attributeMap, attributes } from '../netlink/reader.js'
import type { NetlinkSocket } from '../netlink/socket.js'
import * as wg from './attributes.js'
import { dumpDevice, mergeDevice, parseDevice, type WireguardPeerState } from './device.js'
import { keyText } from './key.js'

interface Keys {
  privateKey?: string
  /** By public key. */
  preshared: Map<string, string>
}

/** The configuration of a device with its keys, for putting it back; never leaves the kernel thread. */
export function readWireguardOptions(socket: NetlinkSocket, link: string): WireguardOptions {
  try {
    const parts = dumpDevice(socket, link, (payload) => ({ state: parseDevice(payload), keys: parseKeys(payload) }))
    const { listenPort, firewallMark, peers } = mergeDevice(parts.map(({ state }) => state))
    const privateKey = parts[0]?.keys.privateKey
    const preshared = new Map(parts.flatMap(({ keys }) => [...keys.preshared]))
    return {
      ...(privateKey === undefined ? {} : { privateKey }),
      listenPort,
      ...(firewallMark === 0 ? {} : { firewallMark }),
      peers: peers.map((peer) => peerOptions(peer, preshared.get(peer.publicKey))),
    }
  } catch (error) {
    throw asCnmError(error, `wg showconf ${link}`, 'link')
  }
}

export function parseKeys(payload: Uint8Array): Keys {
  const device = attributeMap(payload, GENL_HEADER)
  const preshared = new Map<string, string>()
  for (const { value } of attributes(device.get(wg.DEVICE_PEERS) ?? new Uint8Array(0))) {
    const peer = attributeMap(value)
    const [publicKey, key] = [peer.get(wg.PEER_PUBLIC_KEY), present(peer.get(wg.PEER_PRESHARED_KEY))]
    if (publicKey !== undefined && key !== undefined) preshared.set(keyText(publicKey), key)
  }
  const privateKey = present(device.get(wg.DEVICE_PRIVATE_KEY))
  return privateKey === undefined ? { preshared } : { privateKey, preshared }
}

function peerOptions(
  { publicKey, endpoint, keepalive, allowedAddresses }: WireguardPeerState,
  presharedKey: string | undefined,
): WireguardPeer {
  return {
    publicKey,
    ...(presharedKey === undefined ? {} : { presharedKey }),
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(keepalive === 0 ? {} : { keepalive }),
    allowedAddresses,
  }
}

/** A key of zeros is none. */
function present(key: Uint8Array | undefined): string | undefined {
  return key === undefined || key.every((byte) => byte === 0) ? undefined : keyText(key)
}
