import { CnmError, type HostFacts, type NetworkDriver, type NetworkView } from '../../src/contracts/index.js'
import { describeEndpoint } from './endpoint.js'
import { mtuOf } from './mtu.js'
import { describeNetwork } from './network.js'
import { FIRST_VNI, LAST_VNI, networkOptions, type OverlayOptions } from './network-options.js'
import { describePeer } from './peer.js'
import { countSegments, segmentOf } from './segments.js'

/** RFC 8200, section 5: the kernel switches IPv6 off on a link with less. */
const MIN_IPV6_MTU = 1280

/** Networks over the hosts of a cluster, in VXLAN. See docs/overlay.md. */
export function overlay(): NetworkDriver<OverlayOptions> {
  return {
    name: 'overlay',
    capabilities: { scope: 'global', outside: 'gateway-network', severalSubnets: true, publishesPorts: true, macFromAddress: true },
    networkOptions,
    numbers: (network) => ({
      vni: {
        kind: 'vni',
        count: countSegments(network),
        from: FIRST_VNI,
        to: LAST_VNI,
        ...(network.options.vnis !== undefined && { wanted: network.options.vnis.slice(0, countSegments(network)) }),
      },
    }),
    network: describeNetwork,
    endpoint: describeEndpoint,
    parts: ({ peers }) => peers?.keys() ?? [],
    part(network, id, host) {
      const peer = network.peers?.get(id)
      return peer === undefined ? [] : describePeer(peer, network, host)
    },
    async beforeCreate(network, host) {
      refuseImpossible(network, host)
    },
    async beforeJoin(endpoint, network) {
      segmentOf(network, endpoint)
    },
  }
}

/** What can only be judged with the whole network in view, and the host. @throws CnmError naming the field */
function refuseImpossible(network: NetworkView<OverlayOptions>, host: HostFacts): void {
  const segments = countSegments(network)
  if (network.options.vnis !== undefined && network.options.vnis.length < segments) {
    const field = 'options.com.docker.network.driver.overlay.vxlanid_list'
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${network.options.vnis.length} VNIs for ${segments} segments`, { field })
  }
  if (!network.ipv6) return
  if (!host.ipv6) throw new CnmError('ERR_CNM_NOT_SUPPORTED', 'the kernel of this host has no IPv6', { field: 'enableIPv6' })
  const mtu = mtuOf(network, host)
  if (mtu < MIN_IPV6_MTU)
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `IPv6 needs an MTU of ${MIN_IPV6_MTU} or more, and this network would have ${mtu}`, {
      field: 'options.mtu',
    })
}
