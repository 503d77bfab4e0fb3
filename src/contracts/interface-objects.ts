import type { Description } from './description.js'
import type { AddressObject, RouteObject, SysctlObject } from './kernel-objects.js'
import type { EndpointView, HostFacts, NetworkView } from './network-driver.js'

/**
 * Objects that nearly every driver describes for the interface of an endpoint, whatever kind of link it is. The link
 * itself is best described without link-local addresses of its own (`ipv6AddressGeneration: 'none'`), and so that it
 * is up only when all of this is set.
 */

type Endpoint = Pick<EndpointView, 'addresses' | 'interfaceName' | 'mac'>

export interface DefaultRouteOptions {
  /** Offer a default route at all. */
  defaultRoute: boolean
  metric?: number
}

export interface InterfaceOptions extends DefaultRouteOptions {
  /** How often the addresses are announced: with 0 not even by the kernel itself, when the interface goes up. */
  announcements: number
}

const has = (endpoint: Endpoint, family: 4 | 6): boolean => endpoint.addresses.some((address) => address.family === family)

/**
 * Takes no advice from routers, announces its addresses, accepts replies that come another way. IPv6 is off where the
 * endpoint has no address of it.
 */
export function interfaceSysctls(
  endpoint: Endpoint,
  host: HostFacts,
  { announcements }: Pick<InterfaceOptions, 'announcements'>,
): SysctlObject[] {
  const values: Record<string, string> = {}
  const notify = announcements > 0 ? '1' : '0'
  if (has(endpoint, 4)) {
    // Loose: with several networks, replies to one may arrive through another.
    Object.assign(values, { 'ipv4/arp_notify': notify, 'ipv4/rp_filter': '2' })
  }
  if (host.ipv6) {
    const used = { 'ipv6/disable_ipv6': '0', 'ipv6/accept_ra': '0', 'ipv6/ndisc_notify': notify }
    Object.assign(values, has(endpoint, 6) ? used : { 'ipv6/disable_ipv6': '1' })
  }
  return Object.entries(values).map(([name, value]) => {
    const [family, setting] = name.split('/')
    return { kind: 'sysctl', at: 'sandbox', path: `net/${family}/conf/${endpoint.interfaceName}/${setting}`, value }
  })
}

/** The endpoint's addresses, and with IPv6 a link-local one: that of its MAC, unless another is given. */
export function interfaceAddresses(endpoint: Endpoint, linkLocal = linkLocalOf(endpoint.mac)): AddressObject[] {
  const own = { kind: 'address', at: 'sandbox', link: endpoint.interfaceName } as const
  const wanted = endpoint.addresses.map(({ address }) => address)
  if (has(endpoint, 6)) wanted.push(`${linkLocal}/64`)
  // Addresses are given out once, and the link-local one follows from the MAC: looking for duplicates costs a second.
  return [...new Set(wanted)].map((address) => ({ ...own, address, ...(address.includes(':') && { noDad: true }) }))
}

/** A default route through the gateway of each family that has one; none on an internal network. */
export function gatewayRoutes(
  endpoint: Endpoint,
  { internal }: Pick<NetworkView, 'internal'>,
  { defaultRoute, metric }: DefaultRouteOptions,
): RouteObject[] {
  if (internal || !defaultRoute) return []
  return ([4, 6] as const).flatMap((family) => {
    const gateway = endpoint.addresses.find((address) => address.family === family && address.gateway !== undefined)?.gateway
    if (gateway === undefined) return []
    const link = endpoint.interfaceName
    return [{ kind: 'route', at: 'sandbox', destination: 'default', family, gateway, link, ...(metric !== undefined && { metric }) }]
  })
}

/** {@link interfaceSysctls}, {@link interfaceAddresses} and {@link gatewayRoutes}. */
export const describeInterface = (
  endpoint: Endpoint,
  network: Pick<NetworkView, 'internal'>,
  host: HostFacts,
  options: InterfaceOptions,
): Description => [
  ...interfaceSysctls(endpoint, host, options),
  ...interfaceAddresses(endpoint),
  ...gatewayRoutes(endpoint, network, options),
]

const MAC_DIGITS = 10

/** A MAC made of the last digits of an id. @param first `02`, or another first byte of a local unicast address */
export function macOfId(first: string, id: string): string {
  const digits = id.slice(-MAC_DIGITS)
  return [first, ...(digits.match(/../g) ?? [])].join(':')
}

/** The link-local address that a MAC gives (RFC 4291, appendix A): the universal bit turned, `ff:fe` in the middle. */
export function linkLocalOf(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map((part) => parseInt(part, 16))
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f]
  return `fe80::${groups.map((group) => group.toString(16)).join(':')}`
}
