import type { EndpointView, NetworkView } from '../../src/contracts/index.js'
import type { BridgeEndpointOptions } from './endpoint-options.js'
import type { BridgeOptions } from './network-options.js'

const PORT_DIGITS = 11
const MAC_DIGITS = 10

/** `br-` and 12 digits of the network's id, unless the user named it. */
export const bridgeName = (network: NetworkView<BridgeOptions>): string => network.options.bridge ?? `br-${network.shortId}`

/** Host end of an endpoint's veth pair. */
export const portName = (endpoint: EndpointView<BridgeEndpointOptions>): string =>
  endpoint.options.hostInterface ?? `veth${endpoint.id.slice(0, PORT_DIGITS)}`

/**
 * The bridge keeps this MAC; one that it was not given would change with its ports. Given in the creating message,
 * neither is it touched by the MACAddressPolicy of systemd.
 */
export const bridgeMac = (network: NetworkView): string => macOf('02', network.id)

/** High, so that an adopted bridge, which goes by the lowest MAC of its ports, never takes it for its own. */
export const portMac = (endpoint: EndpointView): string => macOf('fe', endpoint.id)

function macOf(first: string, id: string): string {
  const digits = id.slice(-MAC_DIGITS)
  return [first, ...(digits.match(/../g) ?? [])].join(':')
}

/** The link-local address that a MAC gives (RFC 4291, appendix A): the universal bit turned, `ff:fe` in the middle. */
export function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((part) => parseInt(part, 16))
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f]
  return `fe80::${groups.map((group) => group.toString(16)).join(':')}`
}
