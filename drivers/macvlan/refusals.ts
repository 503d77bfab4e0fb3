import type { EndpointView, HostFacts, NetworkView } from '../../src/contracts/index.js'
import { refuseNoAddress } from '../parent-device/host-access.js'
import { refuseMtu } from '../parent-device/mtu.js'
import { refusal, refuseLost } from '../parent-device/parent.js'
import { sourcesOf } from './endpoint.js'
import type { MacvlanEndpointOptions } from './endpoint-options.js'
import type { MacvlanOptions } from './network-options.js'
import { ownAddresses } from './host-link.js'

type Network = NetworkView<MacvlanOptions>

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the option */
export function refuseImpossible(network: Network, host: HostFacts, others: readonly Network[]): void {
  const { options } = network
  refuseMtu(network, host)
  refuseShared(network, others)
  if (options.mode !== 'source' && options.sourceMacs.length > 0)
    throw refusal('source_macs', 'only mode source looks at the MACs of senders')
  if (!options.hostAccess) return
  if (options.mode !== 'bridge')
    throw refusal('host_access', `in mode ${options.mode} an interface on the host would not reach the endpoints`)
  refuseNoAddress(network, ownAddresses(network, host))
}

/** Mode passthru has its parent to itself. */
function refuseShared(network: Network, others: readonly Network[]): void {
  const { parent } = network.options
  if (parent === undefined) return
  for (const other of others) {
    if (other.id === network.id || other.options.parent !== parent) continue
    const exclusive = [network, other].find(({ options }) => options.mode === 'passthru')
    if (exclusive === undefined) continue
    throw refusal('parent', `${parent} is the parent of network ${other.name}; in mode passthru a parent is nobody else's`)
  }
}

/** @throws CnmError ERR_CNM_LINK_NOT_FOUND, ERR_CNM_INVALID_ARGUMENT */
export function refuseJoin(endpoint: EndpointView<MacvlanEndpointOptions>, network: Network, host: HostFacts): void {
  refuseLost(network, host)
  const { mode } = network.options
  if (mode === 'source' && sourcesOf(endpoint, network).length === 0)
    throw refusal('source_macs', 'in mode source an endpoint hears only the MACs that source_macs lists; it lists none')
  if (mode !== 'source' && endpoint.options.sourceMacs !== undefined)
    throw refusal('source_macs', `network ${network.name} is in mode ${mode}, which does not look at the MACs of senders`)
}
