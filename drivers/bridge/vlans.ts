import { CnmError, type BridgeVlanObject, type EndpointView, type NetworkView } from '../../src/contracts/index.js'
import { isOurs } from './adoption.js'
import type { BridgeEndpointOptions } from './endpoint-options.js'
import { portName } from './kernel-names.js'
import type { BridgeOptions } from './network-options.js'

/**
 * The VLANs of an endpoint's port. On a bridge of ours the network's VLAN is the default of the bridge, which ports get
 * by themselves; on another bridge it is set for each port.
 */
export function describeVlans(
  { options, ...endpoint }: EndpointView<BridgeEndpointOptions>,
  network: NetworkView<BridgeOptions>,
): BridgeVlanObject[] {
  const port = { kind: 'bridge-vlan', at: 'host', link: portName({ options, ...endpoint }) } as const
  const own = options.vlan ?? (isOurs(network) ? undefined : network.options.vlan)
  const untagged: BridgeVlanObject[] = own === undefined ? [] : [{ ...port, id: own, pvid: true, untagged: true, alone: true }]
  return [...untagged, ...(options.trunk ?? []).map(([id, end]) => ({ ...port, id, ...(end > id && { end }) }))]
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT for VLANs on a bridge that does not keep them apart */
export function refuseVlans({ options }: EndpointView<BridgeEndpointOptions>, network: NetworkView<BridgeOptions>): void {
  if (!isOurs(network) || network.options.vlan !== undefined) return
  const option = options.vlan !== undefined ? 'vlan' : options.trunk !== undefined ? 'vlan_trunk' : undefined
  if (option === undefined) return
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${option}: network ${network.name} has no VLANs; give it one with its own option vlan`, {
    field: `options.${option}`,
  })
}
