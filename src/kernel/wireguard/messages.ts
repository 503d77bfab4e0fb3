import { CnmError } from '../../contracts/errors.js'
import type { WireguardOptions } from '../../contracts/kernel-objects.js'
import { genericHeader } from '../generic-netlink.js'
import { NLM_F_ACK, type MessageWriter } from '../netlink/writer.js'
import * as wg from './attributes.js'
import { NO_KEY, wireguardKey } from './key.js'
import { fragments, writePeer, type PeerChange } from './peers.js'

/** Bytes of a message, well below what an attribute can hold (65535). */
const FULL = 32_000

/** What is to be set on a device. Fields that are absent stay as they are; `null` takes the value away. */
export interface DeviceChange {
  privateKey?: string | null
  listenPort?: number | null
  firewallMark?: number | null
  /** Remove all peers that are not among {@link peers}, before anything else. */
  replacePeers?: boolean
  peers: PeerChange[]
}

/** Everything that the options say, and nothing else: what a device without configuration needs. */
export function wholeConfiguration({ privateKey, listenPort, firewallMark, peers = [] }: WireguardOptions): DeviceChange {
  return { privateKey, listenPort, firewallMark, replacePeers: true, peers: peers.map((peer) => ({ set: peer })) }
}

/**
 * Messages that configure a WireGuard device (WG_CMD_SET_DEVICE), one at a time, so that the caller can send when
 * enough are written: many peers or many allowed addresses take more than one.
 * @param family number of the generic netlink family `wireguard`
 * @param writer where the next message goes; asked for before each
 */
export function* wireguardMessages(writer: () => MessageWriter, family: number, index: number, change: DeviceChange): Generator<void> {
  const pending = [...fragments(change.peers)]
  let first = true
  while (first || pending.length > 0) {
    const target = writer()
    target.begin(family, NLM_F_ACK)
    genericHeader(target, wg.SET_DEVICE, wg.VERSION).attrU32(wg.DEVICE_IFINDEX, index)
    if (first) writeDevice(target, change)
    first = false
    if (pending.length > 0) {
      target.nest(wg.DEVICE_PEERS, () => {
        const start = target.length
        while (pending.length > 0 && target.length - start < FULL) writePeer(target, pending.shift()!)
      })
    }
    target.end()
    yield
  }
}

function writeDevice(writer: MessageWriter, { privateKey, listenPort, firewallMark, replacePeers }: DeviceChange): void {
  if (replacePeers === true) writer.attrU32(wg.DEVICE_FLAGS, wg.DEVICE_REPLACE_PEERS)
  if (privateKey === null) writer.attrBytes(wg.DEVICE_PRIVATE_KEY, Uint8Array.from(NO_KEY))
  else if (privateKey !== undefined) writer.attrBytes(wg.DEVICE_PRIVATE_KEY, wireguardKey(privateKey, 'privateKey'))
  if (listenPort !== undefined) writer.attrU16(wg.DEVICE_LISTEN_PORT, upTo(0xffff, listenPort ?? 0, 'listenPort'))
  if (firewallMark !== undefined) writer.attrU32(wg.DEVICE_FWMARK, upTo(0xffff_ffff, firewallMark ?? 0, 'firewallMark'))
}

function upTo(most: number, value: number, field: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${value} is not between 0 and ${most}`, { field })
}
