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
