import {
  gatewayRoutes,
  interfaceAddresses,
  interfaceSysctls,
  type Description,
  type EndpointView,
  type HostFacts,
  type LinkObject,
  type NetworkView,
  type RouteObject,
} from '../../src/contracts/index.js'
import { describeHostLink, describeHostRoutes, hostLinkName } from '../parent-device/host-access.js'
import { mtuOf } from '../parent-device/mtu.js'
import { describeParent, parentName } from '../parent-device/parent.js'
import { linkLocalAddress, PREFIXES } from './kernel-names.js'
import type { IpvlanOptions } from './network-options.js'

type Network = NetworkView<IpvlanOptions>

/** What must exist while an ipvlan network does: its parent, if it makes one, and the host's interface, if it has one. */
export function describeNetwork(network: Network, host: HostFacts): Description {
  const parent = describeParent(network, host, PREFIXES)
  if (!network.options.hostAccess) return parent
  const link = ipvlanLink({ at: 'host', name: hostLinkName(network, PREFIXES) }, network, host)
  return [...parent, ...describeHostLink(network, host, link)]
}

/** What must exist while an endpoint is joined: an ipvlan of the parent in the sandbox, and what makes it usable. */
export function describeEndpoint(endpoint: EndpointView, network: Network, host: HostFacts): Description {
  return [
    ipvlanLink({ at: 'sandbox', name: endpoint.interfaceName }, network, host),
    ...interfaceSysctls(endpoint, host, { announcements: 1 }),
    ...interfaceAddresses(endpoint, linkLocalAddress(endpoint)),
    ...(network.options.mode === 'l2' ? gatewayRoutes(endpoint, network, network.options) : deviceRoutes(endpoint, network)),
    ...(network.options.hostAccess ? describeHostRoutes(endpoint, network, hostLinkName(network, PREFIXES), []) : []),
  ]
}

function ipvlanLink(link: { at: string; name: string }, network: Network, host: HostFacts): LinkObject {
  const { mode, flag } = network.options
  const mtu = mtuOf(network, host)
  return {
    kind: 'link',
    ...link,
    type: 'ipvlan',
    parent: { at: 'host', name: parentName(network, PREFIXES) },
    mode,
    flag,
    ...(mtu !== undefined && { mtu }),
    ipv6AddressGeneration: 'none',
  }
}

/** In l3 the host's own routes decide where packets go: there is no gateway to name. */
function deviceRoutes(endpoint: EndpointView, { internal, options }: Network): RouteObject[] {
  if (internal || !options.defaultRoute) return []
  const families = new Set(endpoint.addresses.map(({ family }) => family))
  const { metric } = options
  return [...families].map((family) => ({
    kind: 'route',
    at: 'sandbox',
    destination: 'default',
    family,
    link: endpoint.interfaceName,
    ...(metric !== undefined && { metric }),
  }))
}
