import {
  linkLocalOf,
  type AddressObject,
  type Description,
  type EndpointView,
  type HostFacts,
  type KernelObject,
  type NetworkView,
  type RouteObject,
  type SysctlObject,
} from '../../src/contracts/index.js'
import { bridgeName, portName, SPACE } from './kernel-names.js'
import { mtuOf } from './mtu.js'
import type { OverlayOptions } from './network-options.js'
import { segmentOf } from './segments.js'

type Network = NetworkView<OverlayOptions>

/** What exists while an endpoint is joined on this host: a veth pair from its segment's bridge into the sandbox. */
export function describeEndpoint(endpoint: EndpointView, network: Network, host: HostFacts): Description {
  return [
    ...pair(endpoint, network, host),
    ...forwardingEntries(endpoint),
    ...sysctls(endpoint, host),
    ...addresses(endpoint),
    ...routes(endpoint, network),
  ]
}

/** The inner end goes up after its sysctls and addresses are set, so that it never listens to its neighbours' advice. */
function pair(endpoint: EndpointView, network: Network, host: HostFacts): KernelObject[] {
  const mtu = mtuOf(network, host)
  const name = endpoint.interfaceName
  return [
    {
      kind: 'link',
      at: SPACE,
      type: 'veth',
      name: portName(endpoint),
      master: bridgeName(segmentOf(network, endpoint)),
      mtu,
      ipv6AddressGeneration: 'none',
      peer: { at: 'sandbox', name, mac: endpoint.mac, mtu, up: false, ipv6AddressGeneration: 'none' },
    },
    { kind: 'link', at: 'sandbox', type: 'existing', name, up: true },
  ]
}

/** The bridge knows where the endpoint is, and learns nothing else from it: a MAC that is not its own leads nowhere. */
function forwardingEntries(endpoint: EndpointView): KernelObject[] {
  const link = portName(endpoint)
  return [
    { kind: 'bridge-port', at: SPACE, link, learning: false, flooding: false },
    { kind: 'fdb', at: SPACE, link, mac: endpoint.mac, table: 'master', state: 'noarp' },
  ]
}

const has = (endpoint: EndpointView, family: 4 | 6): boolean => endpoint.addresses.some((address) => address.family === family)

/**
 * Questions for neighbours are answered on this host: asking often costs nothing. Who asks for an endpoint just before this
 * host has heard of it gets the answer a tenth of a second later, not a whole one; nobody waits longer than usual.
 */
const ASKING = { retrans_time_ms: '100', mcast_solicit: '30' }

function sysctls(endpoint: EndpointView, host: HostFacts): SysctlObject[] {
  const of = (family: 4 | 6, table: 'conf' | 'neigh', values: Readonly<Record<string, string>>): SysctlObject[] =>
    Object.entries(values).map(([name, value]) => {
      const path = `net/ipv${family}/${table}/${endpoint.interfaceName}/${name}`
      return { kind: 'sysctl', at: 'sandbox', path, value }
    })
  // Loose: with several networks, replies to one may arrive through another.
  const four = has(endpoint, 4) ? [...of(4, 'conf', { rp_filter: '2' }), ...of(4, 'neigh', ASKING)] : []
  if (!host.ipv6) return four
  if (!has(endpoint, 6)) return [...four, ...of(6, 'conf', { disable_ipv6: '1' })]
  return [...four, ...of(6, 'conf', { disable_ipv6: '0', accept_ra: '0' }), ...of(6, 'neigh', ASKING)]
}

function addresses(endpoint: EndpointView): AddressObject[] {
  const own = { kind: 'address', at: 'sandbox', link: endpoint.interfaceName } as const
  const wanted = endpoint.addresses.map(({ address }) => address)
  if (has(endpoint, 6)) wanted.push(`${linkLocalOf(endpoint.mac)}/64`)
  // Addresses are given out once, and the link-local one follows from the MAC: looking for duplicates costs a second.
  return [...new Set(wanted)].map((address) => ({ ...own, address, ...(address.includes(':') && { noDad: true }) }))
}

/** To the other subnets of the network through its gateway; the way out is somebody else's. */
function routes(endpoint: EndpointView, network: Network): RouteObject[] {
  return endpoint.addresses.flatMap(({ address, family, gateway }) => {
    if (gateway === undefined) return []
    const own = segmentOf(network, { name: endpoint.name, addresses: [{ address, family }] })
    const others = network.subnets.filter((subnet) => subnet.family === family && !own.subnets.includes(subnet))
    return others.map(({ subnet }): RouteObject => ({
      kind: 'route',
      at: 'sandbox',
      destination: subnet,
      gateway,
      link: endpoint.interfaceName,
    }))
  })
}
