import type { HostFacts, NetworkView } from '../../src/contracts/index.js'
import type { OverlayOptions } from './network-options.js'

/** Inner Ethernet header, VXLAN and UDP headers (RFC 7348, section 5). */
const VXLAN = 14 + 8 + 8
const OUTER_IP = { 4: 20, 6: 40 }
const USUAL_MTU = 1500

/** ESP with AES-GCM (RFC 4303, RFC 4106): SPI and sequence number, IV, and after the data the tag. */
const ESP = 8 + 8 + 16
/** Pad length and next header are encrypted with the data, and all of it is padded to this. */
const ESP_TRAILER = 2
const ESP_ALIGNMENT = 4

/** What the user asked for; else what one packet of the underlay has room for. */
export function mtuOf({ options }: NetworkView<OverlayOptions>, host: HostFacts): number {
  if (options.mtu !== 'auto') return options.mtu
  const underlay = host.links.get(host.node?.link ?? '')?.mtu ?? USUAL_MTU
  const room = underlay - OUTER_IP[host.node?.address.includes(':') ? 6 : 4]
  return (options.encrypted ? insideEsp(room) : room) - VXLAN
}

function insideEsp(room: number): number {
  const padded = room - ESP
  return padded - (padded % ESP_ALIGNMENT) - ESP_TRAILER
}
