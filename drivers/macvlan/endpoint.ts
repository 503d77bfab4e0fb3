import {
  describeInterface,
  type Description,
  type EndpointView,
  type HostFacts,
  type LinkObject,
  type NetworkView,
} from '../../src/contracts/index.js'
import { mtuOf } from '../parent-device/mtu.js'
import { parentName } from '../parent-device/parent.js'
import type { MacvlanEndpointOptions } from './endpoint-options.js'
import { describeWayFromHost } from './host-link.js'
import { PREFIXES } from './kernel-names.js'
import type { MacvlanOptions } from './network-options.js'

type Network = NetworkView<MacvlanOptions>
type Endpoint = EndpointView<MacvlanEndpointOptions>

/** In mode source: whom the endpoint hears. */
export const sourcesOf = ({ options }: Endpoint, network: Network): string[] => options.sourceMacs ?? network.options.sourceMacs

export const announcementsOf = ({ options }: Endpoint, network: Network): number => options.announcements ?? network.options.announcements

/** What must exist while an endpoint is joined: a macvlan of the parent in the sandbox, and what makes it usable. */
export const describeEndpoint = (endpoint: Endpoint, network: Network, host: HostFacts): Description => [
  interfaceOf(endpoint, network, host),
  ...describeInterface(endpoint, network, host, { ...network.options, announcements: announcementsOf(endpoint, network) }),
  ...describeWayFromHost(endpoint, network, host),
]

function interfaceOf(endpoint: Endpoint, network: Network, host: HostFacts): LinkObject {
  const { mode, broadcastCutoff, broadcastQueueLength } = network.options
  const mtu = mtuOf(network, host)
  return {
    kind: 'link',
    at: 'sandbox',
    type: 'macvlan',
    name: endpoint.interfaceName,
    // In mode passthru it is the parent's, and setting it would set that.
    ...(mode !== 'passthru' && { mac: endpoint.mac }),
    parent: { at: 'host', name: parentName(network, PREFIXES) },
    mode,
    ...(mode === 'source' && { sourceMacs: sourcesOf(endpoint, network) }),
    ...(mtu !== undefined && { mtu }),
    ...(broadcastCutoff !== undefined && { broadcastCutoff }),
    ...(broadcastQueueLength !== undefined && { broadcastQueueLength }),
    ipv6AddressGeneration: 'none',
  }
}
