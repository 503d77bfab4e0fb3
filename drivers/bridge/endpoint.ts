import type {
  AddressObject,
  BridgePortObject,
  Description,
  EndpointView,
  HostFacts,
  LinkObject,
  NetworkView,
  RouteObject,
  SysctlObject,
} from '../../src/contracts/index.js'
import type { BridgeEndpointOptions } from './endpoint-options.js'
import { bridgeName, linkLocalOf, portMac, portName } from './kernel-names.js'
import { mtuOf, portMtu } from './mtu.js'
import type { BridgeOptions } from './network-options.js'
import { describeVlans } from './vlans.js'

type Network = NetworkView<BridgeOptions>
type Endpoint = EndpointView<BridgeEndpointOptions>

/** What must exist while an endpoint is joined: a veth pair from the bridge into the sandbox, and what makes it usable. */
export function describeEndpoint(endpoint: Endpoint, network: Network, host: HostFacts): Description {
  return [
    ...pair(endpoint, network, host),
    ...bridgePort(endpoint, network, host),
    ...describeVlans(endpoint, network),
    ...sysctls(endpoint, host),
    ...addresses(endpoint),
    ...defaultRoutes(endpoint, network),
  ]
}

function bridgePort(endpoint: Endpoint, network: Network, host: HostFacts): BridgePortObject[] {
  const isolated = !network.options.icc || network.options.policy !== undefined
  // Where br_netfilter translates bridged packets, one that comes back to its own port is bridged, not routed.
  const hairpin = host.bridgeNetfilter.length > 0 && endpoint.ports.length > 0
  if (!isolated && !hairpin) return []
  return [{ kind: 'bridge-port', at: 'host', link: portName(endpoint), ...(isolated && { isolated }), ...(hairpin && { hairpin }) }]
}

/** The inner end goes up after its sysctls and addresses are set, so that it never listens to its neighbours' advice. */
function pair(endpoint: Endpoint, network: Network, host: HostFacts): LinkObject[] {
  const [outer, inner] = [portMtu(network, host), mtuOf(network, host)]
  const name = endpoint.interfaceName
  return [
    {
      kind: 'link',
      at: 'host',
      type: 'veth',
      name: portName(endpoint),
      mac: portMac(endpoint),
      master: bridgeName(network),
      ...(outer !== undefined && { mtu: outer }),
      ipv6AddressGeneration: 'none',
      peer: {
        at: 'sandbox',
        name,
        mac: endpoint.mac,
        up: false,
        ...(inner !== undefined && { mtu: inner }),
        ipv6AddressGeneration: 'none',
      },
    },
    { kind: 'link', at: 'sandbox', type: 'existing', name, up: true },
  ]
}

const has = (endpoint: Endpoint, family: 4 | 6): boolean => endpoint.addresses.some((address) => address.family === family)

function sysctls(endpoint: Endpoint, host: HostFacts): SysctlObject[] {
  const values: Record<string, string> = {}
  if (has(endpoint, 4)) {
    // Loose: with several networks, replies to one may arrive through another.
    Object.assign(values, { 'ipv4/arp_notify': '1', 'ipv4/rp_filter': '2' })
  }
  if (host.ipv6) {
    const used = { 'ipv6/disable_ipv6': '0', 'ipv6/accept_ra': '0', 'ipv6/ndisc_notify': '1' }
    Object.assign(values, has(endpoint, 6) ? used : { 'ipv6/disable_ipv6': '1' })
  }
  return Object.entries(values).map(([name, value]) => {
    const [family, setting] = name.split('/')
    return { kind: 'sysctl', at: 'sandbox', path: `net/${family}/conf/${endpoint.interfaceName}/${setting}`, value }
  })
}

function addresses(endpoint: Endpoint): AddressObject[] {
  const own = { kind: 'address', at: 'sandbox', link: endpoint.interfaceName } as const
  const wanted = endpoint.addresses.map(({ address }) => address)
  if (has(endpoint, 6)) wanted.push(`${linkLocalOf(endpoint.mac)}/64`)
  // Addresses are given out once, and the link-local one follows from the MAC: looking for duplicates costs a second.
  return [...new Set(wanted)].map((address) => ({ ...own, address, ...(address.includes(':') && { noDad: true }) }))
}

function defaultRoutes(endpoint: Endpoint, network: Network): RouteObject[] {
  const { defaultRoute, metric } = network.options
  if (network.internal || !defaultRoute) return []
  return ([4, 6] as const).flatMap((family) => {
    const gateway = endpoint.addresses.find((address) => address.family === family && address.gateway !== undefined)?.gateway
    if (gateway === undefined) return []
    const link = endpoint.interfaceName
    return [{ kind: 'route', at: 'sandbox', destination: 'default', family, gateway, link, ...(metric !== undefined && { metric }) }]
  })
}
