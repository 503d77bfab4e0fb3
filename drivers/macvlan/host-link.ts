import type { Description, EndpointView, HostFacts, LinkObject, NetworkView } from '../../src/contracts/index.js'
import { describeHostLink, describeHostNeighbours, describeHostRoutes, hostLinkMac, hostLinkName } from '../parent-device/host-access.js'
import { mtuOf } from '../parent-device/mtu.js'
import { parentName } from '../parent-device/parent.js'
import { PREFIXES } from './kernel-names.js'
import type { MacvlanOptions } from './network-options.js'

type Network = NetworkView<MacvlanOptions>

/** What the host has on the parent: its own address there will do for its macvlan interface too. */
export const ownAddresses = ({ options: { parent } }: Network, host: HostFacts): readonly string[] =>
  (parent === undefined ? undefined : host.links.get(parent)?.addresses) ?? []

/** Nothing, unless the host is to reach the endpoints. */
export function describeHostSide(network: Network, host: HostFacts): Description {
  if (!network.options.hostAccess) return []
  const mtu = mtuOf(network, host)
  const link: LinkObject = {
    kind: 'link',
    at: 'host',
    type: 'macvlan',
    name: hostLinkName(network, PREFIXES),
    mac: hostLinkMac(network),
    parent: { name: parentName(network, PREFIXES) },
    mode: 'bridge',
    ...(mtu !== undefined && { mtu }),
    ipv6AddressGeneration: 'none',
  }
  return describeHostLink(network, host, link)
}

export function describeWayFromHost(endpoint: EndpointView, network: Network, host: HostFacts): Description {
  if (!network.options.hostAccess) return []
  const link = hostLinkName(network, PREFIXES)
  const own = ownAddresses(network, host)
  return [...describeHostRoutes(endpoint, network, link, own), ...describeHostNeighbours(endpoint, network, link, own)]
}
