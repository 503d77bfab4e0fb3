import type { Description, DriverContext, EndpointView, HostFacts, NetworkDriver, NetworkView } from '../../src/contracts/index.js'
import { decide } from './adoption.js'
import { announcementsOf, describeEndpoint } from './endpoint.js'
import { endpointOptions, type BridgeEndpointOptions } from './endpoint-options.js'
import { describeFirewall } from './firewall/network-elements.js'
import { describePorts } from './firewall/port-elements.js'
import { describeSpoofTable, describeTrueAddresses } from './firewall/spoof-check.js'
import { reportForwarding, settingOf } from './forwarding.js'
import { gateway } from './gateway-mode.js'
import { bridgeName } from './kernel-names.js'
import { describeLoopbackAccess } from './loopback-access.js'
import { describeNetwork } from './network.js'
import { networkOptions, type BridgeOptions } from './network-options.js'
import { refuseChanges } from './live-changes.js'
import { describeMember, describePolicy } from './policy/describe-policy.js'
import { publishing } from './publishing.js'
import { refuseImpossible } from './refusals.js'
import { refuseVlans } from './vlans.js'

export interface BridgeDriverOptions {
  /** Default `nftables`. `none`: no rules at all; ports cannot be published, and networks neither reach the world by masquerade nor are they isolated. */
  firewall?: 'nftables' | 'none'
}

/** Networks on one host, each a Linux bridge with its endpoints' veth pairs as ports. See docs/bridge.md. */
export function bridge({ firewall = 'nftables' }: BridgeDriverOptions = {}): NetworkDriver<BridgeOptions, BridgeEndpointOptions> {
  const hasRules = (network: NetworkView<BridgeOptions>): boolean => firewall === 'nftables' && network.options.mode === 'managed'
  let context: DriverContext | undefined
  return {
    name: 'bridge',
    capabilities: { severalSubnets: true, publishesPorts: true },
    networkOptions,
    endpointOptions,
    hostLinks: (network) => [bridgeName(network), ...(network.options.vrf === undefined ? [] : [network.options.vrf])],
    gateway,
    network: (network, host) => [...(hasRules(network) ? networkRules(network, host) : []), ...describeNetwork(network, host)],
    endpoint: (endpoint, network, host) => [
      ...describeEndpoint(endpoint, network, host),
      ...(hasRules(network) ? endpointRules(endpoint, network, host) : []),
    ],
    announcements: (endpoint, network) => ({
      count: announcementsOf(endpoint, network),
      interval: endpoint.options.announcementInterval ?? network.options.announcementInterval,
    }),
    publishing: (endpoint, network) => publishing(endpoint, network, hasRules(network)),
    async beforeUpdate(network, before, host) {
      refuseChanges(network, before)
      refuseImpossible(network, host, hasRules(network))
      await reportForwarding(network, host, (message, about) => context?.warn(message, about))
    },
    async start(given) {
      context = given
    },
    async beforeJoin(endpoint, network) {
      refuseVlans(endpoint, network)
    },
    async beforeCreate(network, host) {
      const state = decide(network, host, (context?.networks() ?? []) as readonly NetworkView<BridgeOptions>[])
      if (state.adopted) state.routeLocalnet = await settingOf(`net/ipv4/conf/${bridgeName(network)}/route_localnet`)
      refuseImpossible({ ...network, state }, host, hasRules(network))
      await reportForwarding(network, host, (message, about) => context?.warn(message, about))
      return state
    },
  }
}

type Network = NetworkView<BridgeOptions>

const networkRules = (network: Network, { instance }: HostFacts): Description => [
  ...describeFirewall(network, instance),
  ...describePolicy(network, instance),
  ...describeSpoofTable(network, instance),
]

const endpointRules = (endpoint: EndpointView<BridgeEndpointOptions>, network: Network, host: HostFacts): Description => [
  ...describePorts(endpoint, network, host.instance),
  ...describeLoopbackAccess(endpoint, network, host),
  ...describeMember(endpoint, network, host.instance),
  ...describeTrueAddresses(endpoint, network, host.instance),
]
