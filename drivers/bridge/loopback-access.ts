import type { EndpointView, HostFacts, KernelObject, NetworkView } from '../../src/contracts/index.js'
import type { BridgeEndpointOptions } from './endpoint-options.js'
import { stateOf } from './adoption.js'
import { onHost, target } from './firewall/port-elements.js'
import { translates } from './gateway-mode.js'
import { bridgeName } from './kernel-names.js'
import type { BridgeOptions } from './network-options.js'

const LOCAL_TABLE = 255
const FIRST_METRIC = 0x10000000
const METRIC_DIGITS = 7

/**
 * What the host's own programs need to reach a published port at 127.0.0.1 or ::1: the answer comes back over the
 * bridge, addressed to loopback once its translation is undone, and the kernel must take it from there.
 *
 * IPv4: route_localnet on the bridge. Packets that claim to be from or to loopback while they come from the bridge are
 * dropped before any translation (chain raw-prerouting), so that the setting opens nothing.
 *
 * IPv6 has no such setting, but looks for the route to ::1 on the interface that the packet came from: one is added
 * for the bridge, with a metric that leaves the host's own in force. The kernel drops packets that arrive with ::1 in
 * their header before any rule sees them. With br_netfilter that comes after translation, and ::1 is out of reach.
 */
export function describeLoopbackAccess(
  endpoint: EndpointView<BridgeEndpointOptions>,
  network: NetworkView<BridgeOptions>,
  host: HostFacts,
): KernelObject[] {
  const link = bridgeName(network)
  const objects: KernelObject[] = []
  if (wantsLoopback(endpoint, network, 4)) {
    objects.push({
      kind: 'sysctl',
      at: 'host',
      path: `net/ipv4/conf/${link}/route_localnet`,
      value: '1',
      after: stateOf(network).routeLocalnet,
    })
  }
  if (wantsLoopback(endpoint, network, 6) && !host.bridgeNetfilter.includes(6)) {
    const metric = FIRST_METRIC + parseInt(network.id.slice(0, METRIC_DIGITS), 16)
    objects.push({ kind: 'route', at: 'host', destination: '::1/128', family: 6, type: 'local', table: LOCAL_TABLE, link, metric })
  }
  return objects
}

function wantsLoopback(endpoint: EndpointView<BridgeEndpointOptions>, network: NetworkView<BridgeOptions>, family: 4 | 6): boolean {
  if (!translates(network, family) || target(endpoint, family) === undefined) return false
  return endpoint.ports.some((port) => onHost(port, family) && isLoopback(port.hostAddress))
}

const isLoopback = (address: string | undefined): boolean =>
  address === undefined || address === '0.0.0.0' || address === '::' || address === '::1' || address.startsWith('127.')
