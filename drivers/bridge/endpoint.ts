import {
  describeInterface,
  type BridgePortObject,
  type Description,
  type EndpointView,
  type HostFacts,
  type LinkObject,
  type NetworkView,
} from '../../src/contracts/index.js'
import type { BridgeEndpointOptions } from './endpoint-options.js'
import { bridgeName, portMac, portName } from './kernel-names.js'
import { mtuOf, portMtu } from './mtu.js'
import type { BridgeOptions } from './network-options.js'
import { describeVlans } from './vlans.js'

type Network = NetworkView<BridgeOptions>
type Endpoint = EndpointView<BridgeEndpointOptions>

/** What must exist while an endpoint is joined: a veth pair from the bridge into the sandbox, and what makes it usable. */
export function describeEndpoint(endpoint: Endpoint, network: Network, host: HostFacts): Description {
  return [
    ...pair(endpoint, network, host),
    ...bridgePort(endpoint, network, host),
    ...describeVlans(endpoint, network),
    ...describeInterface(endpoint, network, host, { ...network.options, announcements: announcementsOf(endpoint, network) }),
  ]
}

function bridgePort(endpoint: Endpoint, network: Network, host: HostFacts): BridgePortObject[] {
  const isolated = !network.options.icc || network.options.policy !== undefined
  // Where br_netfilter translates bridged packets, one that comes back to its own port is bridged, not routed.
  const hairpin = host.bridgeNetfilter.length > 0 && endpoint.ports.length > 0
  if (!isolated && !hairpin) return []
  return [{ kind: 'bridge-port', at: 'host', link: portName(endpoint), ...(isolated && { isolated }), ...(hairpin && { hairpin }) }]
}

/** The inner end goes up after its sysctls and addresses are set, so that it never listens to its neighbours' advice. */
function pair(endpoint: Endpoint, network: Network, host: HostFacts): LinkObject[] {
  const [outer, inner] = [portMtu(network, host), mtuOf(network, host)]
  const name = endpoint.interfaceName
  return [
    {
      kind: 'link',
      at: 'host',
      type: 'veth',
      name: portName(endpoint),
      mac: portMac(endpoint),
      master: bridgeName(network),
      ...(outer !== undefined && { mtu: outer }),
      ipv6AddressGeneration: 'none',
      peer: {
        at: 'sandbox',
        name,
        mac: endpoint.mac,
        up: false,
        ...(inner !== undefined && { mtu: inner }),
        ipv6AddressGeneration: 'none',
      },
    },
    { kind: 'link', at: 'sandbox', type: 'existing', name, up: true },
  ]
}

/** How often the addresses are announced. The first time, the kernel does it by itself when the interface goes up. */
export const announcementsOf = (endpoint: Endpoint, network: Network): number =>
  endpoint.options.announcements ?? network.options.announcements
