import { CnmError, pairPart, type DriverContext, type HostFacts, type NetworkDriver, type NetworkView } from '../../src/contracts/index.js'
import { describePair } from './encryption.js'
import { describeEndpoint } from './endpoint.js'
import { mtuOf } from './mtu.js'
import { describeNetwork } from './network.js'
import { FIRST_VNI, LAST_VNI, networkOptions, type OverlayOptions } from './network-options.js'
import { describePeer } from './peer.js'
import { countSegments, segmentOf } from './segments.js'

/** RFC 8200, section 5: the kernel switches IPv6 off on a link with less. */
const MIN_IPV6_MTU = 1280

const PAIR = pairPart('')

/** Networks over the hosts of a cluster, in VXLAN. See docs/overlay.md. */
export function overlay(): NetworkDriver<OverlayOptions> {
  let context: DriverContext | undefined
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
    pairKeys: ({ options }) => options.encrypted,
    parts: ({ peers, pairs }) => [...(peers?.keys() ?? []), ...[...(pairs?.keys() ?? [])].map(pairPart)],
    part(network, name, host) {
      const peer = network.peers?.get(name)
      if (peer !== undefined) return describePeer(peer, network, host)
      const pair = name.startsWith(PAIR) ? network.pairs?.get(name.slice(PAIR.length)) : undefined
      return pair === undefined ? [] : describePair(pair, network, host)
    },
    async start(given) {
      context = given
    },
    async beforeCreate(network, host) {
      refuseImpossible(network, host)
      refuseSharedPort(network, context?.networks() ?? [])
    },
    async beforeJoin(endpoint, network) {
      segmentOf(network, endpoint)
      // Two hosts may have made networks at the same time.
      refuseSharedPort(network, context?.networks() ?? [])
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

/** A port is for clear text or for what is encrypted. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
function refuseSharedPort({ id, options }: NetworkView<OverlayOptions>, networks: readonly NetworkView[]): void {
  for (const other of networks) {
    // Those that are templates have none.
    const { port, encrypted } = (other.options ?? options) as OverlayOptions
    if (other.id === id || port !== options.port || encrypted === options.encrypted) continue
    const how = encrypted ? 'encrypted' : 'not encrypted'
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `port ${port} is that of network ${other.name}, which is ${how}: choose another`, {
      field: 'options.port',
    })
  }
}
