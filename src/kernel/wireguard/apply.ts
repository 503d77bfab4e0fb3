import type { LinkObject } from '../../contracts/kernel-objects.js'
import { genericFamily } from '../generic-netlink.js'
import { NETLINK_GENERIC, type TransactionContext } from '../handler.js'
import * as wg from './attributes.js'
import { configurationChange } from './difference.js'
import { wholeConfiguration, wireguardMessages } from './messages.js'

type WireguardLink = Extract<LinkObject, { type: 'wireguard' }>

/** Bytes of messages that are sent at once: their acknowledgements must fit into a receive buffer. */
const BATCH = 64 * 1024

/**
 * Configures the device of a WireGuard link that exists, or is made by messages of this transaction.
 * @param from the link as it was: then only what differs is touched, and sessions with other peers go on
 * @throws CnmError ERR_CNM_NOT_SUPPORTED without WireGuard in the kernel; ERR_CNM_INVALID_ARGUMENT, never with a key in it
 */
export function applyWireguard(object: WireguardLink, context: TransactionContext, from?: WireguardLink): void {
  if (from === undefined && object.wireguard === undefined) return
  const change =
    from === undefined ? wholeConfiguration(object.wireguard ?? {}) : configurationChange(from.wireguard ?? {}, object.wireguard ?? {})
  if (Object.keys(change).length === 1 && change.peers.length === 0) return
  // The family exists when the link does: making the first link may have loaded the module.
  const family = genericFamily(context.socket(object.at, NETLINK_GENERIC), wg.FAMILY)
  const index = context.linkIndex(object.at, object.name)
  const writer = () => context.writer(object.at, NETLINK_GENERIC)
  for (const _message of wireguardMessages(writer, family, index, change)) {
    if (writer().length > BATCH) context.flush()
  }
}
