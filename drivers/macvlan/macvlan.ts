import type { DriverContext, NetworkDriver, NetworkView } from '../../src/contracts/index.js'
import { decideParent, describeParent, findParent, parentLinks } from '../parent-device/parent.js'
import { reportParent } from '../parent-device/report.js'
import { announcementsOf, describeEndpoint } from './endpoint.js'
import { endpointOptions, type MacvlanEndpointOptions } from './endpoint-options.js'
import { describeHostSide } from './host-link.js'
import { PREFIXES } from './kernel-names.js'
import { networkOptions, type MacvlanOptions } from './network-options.js'
import { refuseImpossible, refuseJoin } from './refusals.js'

/** Endpoints directly on the network that a device of the host is on, each with a MAC of its own. See docs/macvlan.md. */
export function macvlan(): NetworkDriver<MacvlanOptions, MacvlanEndpointOptions> {
  let context: DriverContext | undefined
  return {
    name: 'macvlan',
    capabilities: { severalSubnets: true, gateway: 'if-asked' },
    networkOptions,
    endpointOptions,
    hostLinks: parentLinks,
    internal: ({ parent }) => parent === undefined,
    interfaceMac: (network, host) => (network.options.mode === 'passthru' ? findParent(network, host)?.mac : undefined),
    network: (network, host) => [...describeParent(network, host, PREFIXES), ...describeHostSide(network, host)],
    endpoint: describeEndpoint,
    announcements: (endpoint, network) => ({
      // To set the MAC again, which makes the kernel announce, would set the parent's.
      count: network.options.mode === 'passthru' ? 0 : announcementsOf(endpoint, network),
      interval: endpoint.options.announcementInterval ?? network.options.announcementInterval,
    }),
    async start(given) {
      context = given
    },
    async beforeCreate(network, host) {
      const state = decideParent(network, host)
      refuseImpossible(network, host, (context?.networks() ?? []) as readonly NetworkView<MacvlanOptions>[])
      await reportParent(network, host, true, (message, about) => context?.warn(message, about))
      return state
    },
    async beforeJoin(endpoint, network, host) {
      refuseJoin(endpoint, network, host)
    },
  }
}
