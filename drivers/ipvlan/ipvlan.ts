import { macOfId, type DriverContext, type NetworkDriver, type NetworkView } from '../../src/contracts/index.js'
import { decideParent, findParent, parentLinks, refuseLost } from '../parent-device/parent.js'
import { reportParent } from '../parent-device/report.js'
import { describeEndpoint, describeNetwork } from './describe.js'
import { networkOptions, type IpvlanOptions } from './network-options.js'
import { refuseImpossible } from './refusals.js'

/** Endpoints on the network that a device of the host is on, all with that device's MAC. See docs/ipvlan.md. */
export function ipvlan(): NetworkDriver<IpvlanOptions> {
  let context: DriverContext | undefined
  return {
    name: 'ipvlan',
    capabilities: { severalSubnets: true },
    networkOptions,
    hostLinks: parentLinks,
    internal: ({ parent }) => parent === undefined,
    interfaceMac: (network, host) => (network.options.parent === undefined ? macOfId('02', network.id) : findParent(network, host)?.mac),
    gateway: ({ mode }) => (mode === 'l2' ? 'if-asked' : 'never'),
    network: describeNetwork,
    endpoint: describeEndpoint,
    async start(given) {
      context = given
    },
    async beforeCreate(network, host) {
      const state = decideParent(network, host)
      refuseImpossible(network, host, (context?.networks() ?? []) as readonly NetworkView<IpvlanOptions>[])
      await reportParent(network, host, false, (message, about) => context?.warn(message, about))
      return state
    },
    async beforeJoin(_endpoint, network, host) {
      refuseLost(network, host)
    },
  }
}
