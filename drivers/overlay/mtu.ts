import type { HostFacts, NetworkView } from '../../src/contracts/index.js'
import type { OverlayOptions } from './network-options.js'

/** Ethernet, VXLAN and UDP headers, and the outer IPv4 or IPv6 header (RFC 7348, section 5). */
const OVERHEAD = { 4: 14 + 8 + 8 + 20, 6: 14 + 8 + 8 + 40 }
const USUAL_MTU = 1500

/** What the user asked for; else what one packet of the underlay has room for. */
export function mtuOf({ options }: NetworkView<OverlayOptions>, host: HostFacts): number {
  if (options.mtu !== 'auto') return options.mtu
  const underlay = host.links.get(host.node?.link ?? '')?.mtu ?? USUAL_MTU
  return underlay - OVERHEAD[host.node?.address.includes(':') ? 6 : 4]
}
