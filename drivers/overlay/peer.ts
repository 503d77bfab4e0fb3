import { CnmError, type Description, type HostFacts, type NetworkView, type PeerView } from '../../src/contracts/index.js'
import { SPACE, vxlanName } from './kernel-names.js'
import type { OverlayOptions } from './network-options.js'
import { segmentOf } from './segments.js'

/** What is programmed for an endpoint on another host: behind which host its MAC is, and which MAC its addresses have. */
export function describePeer(peer: PeerView, network: NetworkView<OverlayOptions>, host: HostFacts): Description {
  refuseOtherFamily(peer, host)
  const link = vxlanName(segmentOf(network, peer))
  return [
    { kind: 'fdb', at: SPACE, link, mac: peer.mac, destination: peer.node.address },
    ...peer.addresses.map(
      ({ address }) =>
        ({ kind: 'neighbour', at: SPACE, link, address: address.split('/')[0]!, mac: peer.mac, state: 'permanent' }) as const,
    ),
  ]
}

/** One VXLAN has one outer address. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
function refuseOtherFamily({ name, node }: PeerView, host: HostFacts): void {
  if (host.node === undefined || node.address.includes(':') === host.node.address.includes(':')) return
  throw new CnmError(
    'ERR_CNM_INVALID_ARGUMENT',
    `${name} on node ${node.name} (${node.address}) cannot be reached from ${host.node.address}: the nodes of a cluster need addresses of one family`,
    { field: 'node.address' },
  )
}
