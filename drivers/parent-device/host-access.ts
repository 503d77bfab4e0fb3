import {
  isInSubnet,
  macOfId,
  type AddressObject,
  type Description,
  type EndpointView,
  type HostFacts,
  type KernelObject,
  type LinkObject,
  type NetworkView,
  type RouteObject,
} from '../../src/contracts/index.js'
import type { ParentOptions } from './options.js'
import { refusal, type NamePrefixes } from './parent.js'

/** The kernel keeps a parent device apart from what sits on it. Who wants the host to take part gets an interface on the host. */

type Network = NetworkView<ParentOptions>

/** The reservation whose address is the host's own on the network. */
const HOST = 'host'

const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4)
const withoutPrefix = (address: string): string => address.split('/')[0]!
const whole = (address: string): string => `${address}/${familyOf(address) === 4 ? 32 : 128}`

/** Addresses that networks reserve for the host. */
const reservedForHost = ({ subnets }: Network): string[] =>
  subnets.flatMap(({ reserved }) => (reserved[HOST] === undefined ? [] : [reserved[HOST]]))

/** The interface of the network on the host. */
export const hostLinkName = (network: Network, prefixes: NamePrefixes): string => `${prefixes.host}-${network.shortId}`
export const hostLinkMac = (network: Network): string => macOfId('06', network.id)

/**
 * @param own addresses that the host has anyway, and that will do
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT for a subnet that the host has no address in
 */
export function refuseNoAddress(network: Network, own: readonly string[]): void {
  const candidates = [...reservedForHost(network), ...own.map(withoutPrefix)]
  for (const { subnet } of network.subnets) {
    if (candidates.some((address) => isInSubnet(subnet, address))) continue
    throw refusal('host_access', `the host has no address in ${subnet}: reserve one for it, reserved: { ${HOST}: '…' }`)
  }
}

/** The interface on the host, which answers nobody but the endpoints. */
export function describeHostLink(network: Network, host: HostFacts, link: LinkObject): Description {
  const { name } = link
  const addresses = reservedForHost(network).map((address): AddressObject => {
    const noDad = address.includes(':')
    return { kind: 'address', at: 'host', link: name, address: whole(address), ...(noDad && { noDad }) }
  })
  const sysctl = (path: string, value: string): KernelObject => ({ kind: 'sysctl', at: 'host', path, value })
  const ipv6 = `net/ipv6/conf/${name}`
  return [
    link,
    sysctl(`net/ipv4/conf/${name}/arp_filter`, '1'),
    ...(host.ipv6 ? [sysctl(`${ipv6}/disable_ipv6`, network.ipv6 ? '0' : '1')] : []),
    ...(host.ipv6 && network.ipv6 ? [sysctl(`${ipv6}/accept_ra`, '0')] : []),
    ...addresses,
  ]
}

/** A route per address of the endpoint, from the address that the host has in the same subnet. */
export function describeHostRoutes(endpoint: EndpointView, network: Network, link: string, own: readonly string[]): RouteObject[] {
  return pairs(endpoint, network, own).map(([address, source]) => ({
    kind: 'route',
    at: 'host',
    destination: whole(address),
    link,
    source,
  }))
}

/** Both sides know each other's MAC, so that the host need not ask for, nor answer for, its address on two interfaces. */
export function describeHostNeighbours(endpoint: EndpointView, network: Network, link: string, own: readonly string[]): Description {
  const known = pairs(endpoint, network, own)
  const outside = known.map(([address]): KernelObject => ({ kind: 'neighbour', at: 'host', link, address, mac: endpoint.mac }))
  const inside = [...new Set(known.map(([, address]) => address))].map((address): KernelObject => ({
    kind: 'neighbour',
    at: 'sandbox',
    link: endpoint.interfaceName,
    address,
    mac: hostLinkMac(network),
  }))
  return [...outside, ...inside]
}

/** Each address of the endpoint with that of the host in the same subnet. */
function pairs(endpoint: EndpointView, network: Network, own: readonly string[]): [string, string][] {
  const candidates = [...reservedForHost(network), ...own.map(withoutPrefix)]
  return endpoint.addresses.flatMap(({ address }): [string, string][] => {
    const found = candidates.find((candidate) => isInSubnet(address, candidate))
    return found === undefined ? [] : [[withoutPrefix(address), found]]
  })
}
