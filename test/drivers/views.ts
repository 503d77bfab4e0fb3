import type { EndpointView, HostFacts, HostLink, NetworkDriver, NetworkView } from '../../src/contracts/index.js'

/** Views as the core makes them, for tests that need no core. */

const ID = '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef'
const ENDPOINT_ID = 'fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210'

export function networkView<N>(
  driver: Pick<NetworkDriver<N>, 'networkOptions'>,
  raw: Record<string, string> = {},
  more: Partial<NetworkView<N>> = {},
): NetworkView<N> {
  return {
    id: ID,
    shortId: ID.slice(0, 12),
    name: 'front',
    labels: {},
    internal: false,
    ipv4: true,
    ipv6: false,
    subnets: [{ subnet: '10.10.0.0/24', family: 4, gateway: '10.10.0.1', reserved: {} }],
    options: driver.networkOptions(raw),
    ...more,
  }
}

export const IPV6 = {
  ipv6: true,
  subnets: [
    { subnet: '10.10.0.0/24', family: 4 as const, gateway: '10.10.0.1', reserved: {} },
    { subnet: 'fd00:10::/64', family: 6 as const, gateway: 'fd00:10::1', reserved: {} },
  ],
}

export function endpointView<E>(
  driver: Pick<NetworkDriver<never, E>, 'endpointOptions'>,
  raw: Record<string, string> = {},
  more: Partial<EndpointView<E>> = {},
): EndpointView<E> {
  return {
    id: ENDPOINT_ID,
    shortId: ENDPOINT_ID.slice(0, 12),
    name: 'web',
    interfaceName: 'eth0',
    mac: '02:42:0a:0a:00:02',
    addresses: [{ address: '10.10.0.2/24', family: 4, gateway: '10.10.0.1' }],
    ports: [],
    labels: {},
    options: driver.endpointOptions!(raw),
    ...more,
  }
}

export function hostFacts(links: readonly Partial<HostLink>[] = [], more: Partial<HostFacts> = {}): HostFacts {
  const known = links.map((link, i): HostLink => ({
    name: `link${i}`,
    index: i + 2,
    type: 'bridge',
    mtu: 1500,
    up: true,
    addresses: [],
    ...link,
  }))
  return {
    instance: 'cnm',
    ipv6: true,
    bridgeNetfilter: [],
    forwardDrops: [],
    defaultRoute: {},
    links: new Map(known.map((link) => [link.name, link])),
    ...more,
  }
}
