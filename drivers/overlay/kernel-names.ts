import type { EndpointView, NetworkView } from '../../src/contracts/index.js'
import type { Segment } from './segments.js'

/** The namespace in which the bridges and VXLANs of a network are. */
export const SPACE = 'private:ov'

const PORT_DIGITS = 11
const MAC_DIGITS = 8

export const bridgeName = ({ index }: Segment): string => `br${index}`
export const vxlanName = ({ index }: Segment): string => `vx${index}`
export const portName = (endpoint: EndpointView): string => `veth${endpoint.id.slice(0, PORT_DIGITS)}`

/** The network's gateway has the same MAC on every host: endpoints can go on with what they know of it wherever they are. */
export function gatewayMac(network: NetworkView, { index }: Segment): string {
  const digits = network.id.slice(-MAC_DIGITS)
  return ['02', (index & 0xff).toString(16).padStart(2, '0'), ...(digits.match(/../g) ?? [])].join(':')
}

/** The link-local address that a MAC gives (RFC 4291, appendix A): the universal bit turned, `ff:fe` in the middle. */
export function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((part) => parseInt(part, 16))
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f]
  return `fe80::${groups.map((group) => group.toString(16)).join(':')}`
}
