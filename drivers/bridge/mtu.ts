import type { HostFacts, NetworkView } from '../../src/contracts/index.js'
import { isOurs } from './adoption.js'
import { bridgeName } from './kernel-names.js'
import type { BridgeOptions } from './network-options.js'

/**
 * What the user asked for; else what the bridge has, if somebody else made it; else that of the link of the default
 * route, the smaller one when the families leave through different links. `undefined`: the kernel's default.
 */
export function mtuOf(network: NetworkView<BridgeOptions>, host: HostFacts): number | undefined {
  const { mtu } = network.options
  if (mtu !== 'auto') return mtu
  if (!isOurs(network)) return host.links.get(bridgeName(network))?.mtu
  const families = [...(network.ipv4 ? [4 as const] : []), ...(network.ipv6 ? [6 as const] : [])]
  const found = families.flatMap((family) => host.defaultRoute[family]?.mtu ?? [])
  return found.length === 0 ? undefined : Math.min(...found)
}

/** A bridge that somebody else made would be lowered to the MTU of its smallest port: the port keeps that of the bridge. */
export const portMtu = (network: NetworkView<BridgeOptions>, host: HostFacts): number | undefined =>
  isOurs(network) ? mtuOf(network, host) : host.links.get(bridgeName(network))?.mtu
