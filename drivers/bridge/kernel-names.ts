import { macOfId, type EndpointView, type NetworkView } from '../../src/contracts/index.js'
import type { BridgeEndpointOptions } from './endpoint-options.js'
import type { BridgeOptions } from './network-options.js'

const PORT_DIGITS = 11

/** `br-` and 12 digits of the network's id, unless the user named it. */
export const bridgeName = (network: NetworkView<BridgeOptions>): string => network.options.bridge ?? `br-${network.shortId}`

/** Host end of an endpoint's veth pair. */
export const portName = (endpoint: EndpointView<BridgeEndpointOptions>): string =>
  endpoint.options.hostInterface ?? `veth${endpoint.id.slice(0, PORT_DIGITS)}`

/**
 * The bridge keeps this MAC; one that it was not given would change with its ports. Given in the creating message,
 * neither is it touched by the MACAddressPolicy of systemd.
 */
export const bridgeMac = (network: NetworkView): string => macOfId('02', network.id)

/** High, so that an adopted bridge, which goes by the lowest MAC of its ports, never takes it for its own. */
export const portMac = (endpoint: EndpointView): string => macOfId('fe', endpoint.id)
