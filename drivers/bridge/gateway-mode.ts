import type { NetworkView } from '../../src/contracts/index.js'
import type { BridgeOptions, GatewayMode } from './network-options.js'

type Family = 4 | 6

/** How endpoints of the network are reached in this family, and how they reach out; `none`: the network does not have it. */
export function gatewayMode(network: NetworkView<BridgeOptions>, family: Family): GatewayMode | 'none' {
  const { gatewayMode4, gatewayMode6 } = network.options
  if (family === 4) return network.ipv4 ? gatewayMode4 : 'none'
  return network.ipv6 ? gatewayMode6 : 'none'
}

/** Addresses are translated: on the way out, and for published ports. */
export const translates = (network: NetworkView<BridgeOptions>, family: Family): boolean =>
  !network.internal && ['nat', 'nat-unprotected'].includes(gatewayMode(network, family))

/** Whether an address of the network is its gateway. */
export function gateway(
  { mode, inhibitIpv4, gatewayMode4, gatewayMode6 }: BridgeOptions,
  family: Family,
  internal: boolean,
): 'always' | 'if-asked' | 'never' {
  if (mode === 'unmanaged') return 'if-asked'
  if ((family === 4 ? gatewayMode4 : gatewayMode6) === 'isolated') return 'never'
  return family === 4 && inhibitIpv4 && internal ? 'never' : 'always'
}
