import type { EndpointView, NetworkView } from '../contracts/network-driver.js'
import type { EndpointRecord, NetworkRecord } from '../contracts/records.js'
import { shortId } from './identifiers.js'

/** Core options, under the names users know: the core takes them out before the driver sees the rest. */
export const INTERFACE_PREFIX = 'com.docker.network.container_iface_prefix'
export const ENDPOINT_SYSCTLS = 'com.docker.network.endpoint.sysctls'
export const ENDPOINT_INTERFACE_NAME = 'com.docker.network.endpoint.ifname'

export function networkView(record: NetworkRecord, options: unknown, others: Pick<NetworkView, 'peers' | 'pairs'> = {}): NetworkView {
  return {
    id: record.id,
    shortId: shortId(record.id),
    name: record.name,
    labels: record.labels,
    internal: record.internal,
    ipv4: record.ipv4,
    ipv6: record.ipv6,
    subnets: record.pools.map(({ subnet, family, gateway, reserved }) => ({ subnet, family, gateway, reserved })),
    options,
    state: record.state,
    ...(record.numbers !== undefined && { numbers: record.numbers }),
    ...others,
  }
}

export function endpointView(record: EndpointRecord, options: unknown): EndpointView {
  return {
    id: record.id,
    shortId: shortId(record.id),
    name: record.name,
    interfaceName: record.interfaceName ?? '',
    mac: record.mac,
    addresses: record.addresses.map(({ address, family, gateway }) => ({ address, family, gateway })),
    ports: record.ports,
    labels: record.labels,
    options,
    state: record.state,
  }
}

/** The options that are the driver's business. */
export function driverOptions(options: Readonly<Record<string, string>>): Record<string, string> {
  const { [INTERFACE_PREFIX]: _prefix, [ENDPOINT_SYSCTLS]: _sysctls, [ENDPOINT_INTERFACE_NAME]: _name, ...rest } = options
  return rest
}
