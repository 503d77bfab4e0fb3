import type { EndpointView, FirewallElement, KernelObject, NetworkView, PortView } from '../../../src/contracts/index.js'
import { isOurs } from '../adoption.js'
import type { BridgeEndpointOptions } from '../endpoint-options.js'
import { gatewayMode, translates } from '../gateway-mode.js'
import type { BridgeOptions } from '../network-options.js'
import { chainFor, outbound } from './network-elements.js'
import * as sets from './sets.js'

type Network = NetworkView<BridgeOptions>
type Endpoint = EndpointView<BridgeEndpointOptions>

const WILDCARD = { 4: '0.0.0.0', 6: '::' } as const

/** What an endpoint adds to the sets of the table: its published ports, and on an adopted bridge its addresses. */
export function describePorts(endpoint: Endpoint, network: Network, table: string): KernelObject[] {
  const element = sets.elementsOf(table, `endpoint/${endpoint.id}`)
  const elements: FirewallElement[] = []
  for (const { address, family } of endpoint.addresses) {
    if (!isOurs(network)) elements.push(...membership(network, family, withoutPrefix(address), element))
  }
  for (const family of sets.FAMILIES) {
    const address = target(endpoint, family)
    if (address === undefined) continue
    for (const port of endpoint.ports) elements.push(...published(network, family, address, port, element))
  }
  return elements
}

/** The address that published ports of this family lead to: the endpoint's first. */
export function target(endpoint: Endpoint, family: sets.Family): string | undefined {
  const found = endpoint.addresses.find((each) => each.family === family)
  return found === undefined ? undefined : withoutPrefix(found.address)
}

const withoutPrefix = (address: string): string => address.split('/')[0]!

function membership(network: Network, family: sets.Family, address: string, element: sets.ElementMaker): FirewallElement[] {
  const elements = [element(sets.members(family), [address], { verdict: chainFor(network, family) })]
  if (network.internal) elements.push(element(sets.confined(family), [address]))
  return [...elements, ...outbound(network, family, address, element)]
}

function published(network: Network, family: sets.Family, address: string, port: PortView, element: sets.ElementMaker): FirewallElement[] {
  if (network.internal) return []
  if (gatewayMode(network, family) === 'routed') return opened(family, address, port, element)
  if (!translates(network, family) || !onHost(port, family)) return []
  const host = port.hostAddress === undefined || port.hostAddress === WILDCARD[family] ? [] : [port.hostAddress]
  const [single, range] = host.length === 0 ? [sets.anyPorts(family), sets.anyRanges(family)] : [sets.ports(family), sets.ranges(family)]
  const last = port.hostPortEnd ?? port.hostPort
  if (last > port.hostPort && port.hostPort === port.containerPort) {
    return [element(range, [...host, port.protocol, { range: [port.hostPort, last] }], { data: [address] })]
  }
  const elements: FirewallElement[] = []
  for (let offset = 0; port.hostPort + offset <= last; offset++) {
    elements.push(element(single, [...host, port.protocol, port.hostPort + offset], { data: [address, port.containerPort + offset] }))
  }
  return elements
}

/** Whether a port is published on host addresses of this family. */
export const onHost = ({ hostAddress }: PortView, family: sets.Family): boolean =>
  hostAddress === undefined || hostAddress.includes(':') === (family === 6)

function opened(family: sets.Family, address: string, port: PortView, element: sets.ElementMaker): FirewallElement[] {
  const { protocol, containerPort } = port
  const last = containerPort + (port.hostPortEnd ?? port.hostPort) - port.hostPort
  if (last === containerPort) return [element(sets.routedPorts(family), [address, protocol, containerPort])]
  return [element(sets.routedRanges(family), [address, protocol, { range: [containerPort, last] }])]
}
