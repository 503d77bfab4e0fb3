import { readFile } from 'node:fs/promises'
import type { DriverContext, NetworkDriver, NetworkView } from '../../src/contracts/index.js'
import { decide } from './adoption.js'
import { describeEndpoint } from './endpoint.js'
import { endpointOptions, type BridgeEndpointOptions } from './endpoint-options.js'
import { bridgeName } from './kernel-names.js'
import { describeNetwork, FORWARDING, forwardedFamilies } from './network.js'
import { networkOptions, type BridgeOptions } from './network-options.js'
import { publishing } from './publishing.js'
import { refuseImpossible } from './refusals.js'

/** Networks on one host, each a Linux bridge with its endpoints' veth pairs as ports. See docs/bridge.md. */
export function bridge(): NetworkDriver<BridgeOptions, BridgeEndpointOptions> {
  let context: DriverContext | undefined
  return {
    name: 'bridge',
    capabilities: { severalSubnets: true, publishesPorts: true },
    networkOptions,
    endpointOptions,
    hostLinks: (network) => [bridgeName(network), ...(network.options.vrf === undefined ? [] : [network.options.vrf])],
    gateway({ mode, inhibitIpv4, gatewayMode4, gatewayMode6 }, family, internal) {
      if (mode === 'unmanaged') return 'if-asked'
      if ((family === 4 ? gatewayMode4 : gatewayMode6) === 'isolated') return 'never'
      return family === 4 && inhibitIpv4 && internal ? 'never' : 'always'
    },
    network: describeNetwork,
    endpoint: describeEndpoint,
    announcements: ({ options }, network) => ({
      count: options.announcements ?? network.options.announcements,
      interval: options.announcementInterval ?? network.options.announcementInterval,
    }),
    publishing,
    async start(given) {
      context = given
    },
    async beforeCreate(network, host) {
      const state = decide(network, host, (context?.networks() ?? []) as readonly NetworkView<BridgeOptions>[])
      refuseImpossible({ ...network, state }, host)
      if (context !== undefined) await reportForwarding(network, context)
      return state
    },
  }
}

/** That a host forwards packets matters to whoever runs it. */
async function reportForwarding(network: NetworkView<BridgeOptions>, context: DriverContext): Promise<void> {
  for (const family of forwardedFamilies(network)) {
    const path = FORWARDING[family]
    const value = await readFile(`/proc/sys/${path}`, 'utf8')
    if (value.trim() !== '0') continue
    context.warn(`${path.replaceAll('/', '.')} is switched on: network ${network.name} needs this host to forward IPv${family}`, network.id)
  }
}
