import { ownerOf, type Core } from './core.js'
import type { Endpoint } from './endpoint.js'
import type { Network } from './network.js'
import { inspectMounts, type MountInspection } from './sandbox-mounts/inspect.js'
import type { Sandbox } from './sandbox.js'

export interface InspectedMember {
  Name: string
  EndpointID: string
  MacAddress: string
  IPv4Address: string
  IPv6Address: string
}

/** The shape of `docker network inspect`. */
export interface NetworkInspection {
  Name: string
  Id: string
  Created: string
  Scope: string
  Driver: string
  EnableIPv4: boolean
  EnableIPv6: boolean
  IPAM: {
    Driver: string
    Options: Record<string, string>
    Config: { Subnet: string; IPRange?: string; Gateway?: string; AuxiliaryAddresses?: Record<string, string> }[]
  }
  Internal: boolean
  Attachable: boolean
  Ingress: boolean
  ConfigFrom: { Network: string }
  ConfigOnly: boolean
  Containers: Record<string, InspectedMember>
  /** Of a network of the cluster that something here is on: the other hosts that it is on, and what they have on it. */
  Peers?: { Name: string; IP: string; Endpoints: InspectedMember[] }[]
  Options: Record<string, string>
  Labels: Record<string, string>
  /** It was to be removed, and could not be yet: why. */
  CleanupPending?: string
}

export function inspectNetwork(network: Network): NetworkInspection {
  const { record } = network
  const containers: NetworkInspection['Containers'] = {}
  for (const endpoint of network.endpoints) {
    const { sandbox } = endpoint
    if (sandbox === undefined) continue
    const { Name, EndpointID, MacAddress, IPv4Address, IPv6Address } = { ...inspectEndpoint(endpoint), Name: sandbox.name }
    containers[sandbox.id] = { Name, EndpointID, MacAddress, IPv4Address, IPv6Address }
  }
  return {
    Name: record.name,
    Id: record.id,
    Created: record.created,
    Scope: network.scope,
    Driver: record.driver,
    EnableIPv4: record.ipv4,
    EnableIPv6: record.ipv6,
    IPAM: {
      Driver: record.ipamDriver,
      Options: record.ipamOptions,
      Config: record.pools.map((pool) => ({
        Subnet: pool.subnet,
        ...(pool.ranges.length > 0 && { IPRange: pool.ranges.join(',') }),
        ...(pool.gateway !== undefined && { Gateway: pool.gateway }),
        ...(Object.keys(pool.reserved).length > 0 && { AuxiliaryAddresses: pool.reserved }),
      })),
    },
    Internal: record.internal,
    Attachable: record.attachable,
    Ingress: false,
    ConfigFrom: { Network: record.configFrom ?? '' },
    ConfigOnly: record.configOnly,
    Containers: containers,
    ...inspectPeers(network),
    Options: record.options,
    Labels: record.labels,
    ...pendingOf(network.core, record),
  }
}

function inspectPeers(network: Network): Pick<NetworkInspection, 'Peers'> {
  const views = network.view().peers
  if (views === undefined) return {}
  const hosts = new Map<string, NonNullable<NetworkInspection['Peers']>[number]>()
  for (const { id, name, mac, addresses, node } of views.values()) {
    const host = hosts.get(node.name) ?? { Name: node.name, IP: node.address, Endpoints: [] }
    hosts.set(node.name, host)
    const first = (family: 4 | 6): string => addresses.find((address) => address.family === family)?.address ?? ''
    host.Endpoints.push({ Name: name, EndpointID: id, MacAddress: mac, IPv4Address: first(4), IPv6Address: first(6) })
  }
  return { Peers: [...hosts.values()] }
}

export interface EndpointInspection {
  Name: string
  EndpointID: string
  NetworkID: string
  SandboxID: string
  InterfaceName: string
  MacAddress: string
  IPv4Address: string
  IPv6Address: string
  Gateway: string
  IPv6Gateway: string
  Aliases: string[]
  GwPriority: number
  DriverOpts: Record<string, string>
  Ports: Endpoint['ports']
  Labels: Record<string, string>
  /** It was to be removed, and could not be yet: why. */
  CleanupPending?: string
}

export function inspectEndpoint(endpoint: Endpoint): EndpointInspection {
  const { record } = endpoint
  const first = (family: 4 | 6): { address: string; gateway: string } => {
    const found = record.addresses.find((address) => address.family === family)
    return { address: found?.address ?? '', gateway: found?.gateway ?? '' }
  }
  return {
    Name: record.name,
    EndpointID: record.id,
    NetworkID: record.network,
    SandboxID: record.sandbox ?? '',
    InterfaceName: record.interfaceName ?? '',
    MacAddress: record.mac,
    IPv4Address: first(4).address,
    IPv6Address: first(6).address,
    Gateway: first(4).gateway,
    IPv6Gateway: first(6).gateway,
    Aliases: [...record.aliases],
    GwPriority: record.gatewayPriority,
    DriverOpts: record.options,
    Ports: endpoint.ports,
    Labels: record.labels,
  }
}

export interface SandboxInspection {
  ID: string
  Name: string
  Created: string
  Hostname: string
  Key: string
  Owned: boolean
  Dns: { servers: string[]; search: string[]; options: string[] }
  ExtraHosts: Record<string, string>
  Networks: Record<string, EndpointInspection>
  Mounts: MountInspection[]
  Labels: Record<string, string>
  /** It was to be removed, and could not be yet: why. */
  CleanupPending?: string
}

export function inspectSandbox(sandbox: Sandbox): SandboxInspection {
  const { record } = sandbox
  return {
    ID: record.id,
    Name: record.name,
    Created: record.created,
    Hostname: record.hostname,
    Key: sandbox.netns,
    Owned: record.owned,
    Dns: record.dns,
    ExtraHosts: record.extraHosts,
    Networks: Object.fromEntries(sandbox.endpoints.map((endpoint) => [endpoint.network.name, inspectEndpoint(endpoint)])),
    Mounts: inspectMounts(sandbox),
    Labels: record.labels,
    ...pendingOf(sandbox.core, record),
  }
}

function pendingOf({ troubles }: Core, record: Parameters<typeof ownerOf>[0]): { CleanupPending?: string } {
  const reason = troubles.reason(ownerOf(record))
  return reason === undefined ? {} : { CleanupPending: reason }
}
