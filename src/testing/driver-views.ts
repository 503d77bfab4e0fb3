import type {
  EndpointView,
  HostFacts,
  HostLink,
  NetworkDriver,
  NetworkView,
  NodeView,
  PairKey,
  PairView,
  PeerView,
  SubnetView,
} from '../contracts/network-driver.js'
import type { DriverSample } from './driver-conformance.js'

/** Networks, endpoints and a host as the core shows them to a driver, made of nothing but a number. */

const ID_LENGTH = 64
const SHORT_ID_LENGTH = 12

/** A different id for each number and kind, whose every part differs. */
function sampleId(kind: 'network' | 'endpoint', number: number): string {
  const seed = (kind === 'network' ? 0x5eed : 0xbead) + number * 7919
  let id = ''
  for (let part = seed; id.length < ID_LENGTH; part = (part * 48271) % 0x7fffffff) id += part.toString(16).padStart(8, '0').slice(0, 8)
  return id.slice(0, ID_LENGTH)
}

export function sampleHost(given: DriverSample['host'] = {}): HostFacts {
  const uplink: HostLink = {
    name: 'uplink0',
    index: 2,
    type: 'device',
    mtu: 1500,
    mac: '02:00:5e:00:53:01',
    up: true,
    addresses: ['192.0.2.10/24'],
  }
  const links = new Map([[uplink.name, uplink]])
  for (const link of given.links ?? []) links.set(link.name, link)
  return {
    instance: 'conform',
    ipv6: given.ipv6 ?? true,
    bridgeNetfilter: [],
    forwardDrops: [],
    defaultRoute: given.defaultRoute ?? { 4: { link: uplink.name, mtu: uplink.mtu } },
    links,
    node: { name: 'conform', address: '192.0.2.10', link: uplink.name },
  }
}

export function sampleNetwork(driver: NetworkDriver, sample: DriverSample, number = 0): NetworkView {
  const { capabilities = {} } = driver
  const id = sampleId('network', number)
  const options = driver.networkOptions({ ...sample.networkOptions })
  const internal = sample.internal ?? false
  const ipv6 = sample.ipv6 ?? true
  const gateway = (family: 4 | 6): boolean => {
    const wish = driver.gateway?.(options, family, internal) ?? capabilities.gateway ?? 'always'
    return wish === 'always' || (wish === 'unless-internal' && !internal)
  }
  const subnets: SubnetView[] = []
  if (capabilities.addresses !== false) {
    const four = `10.213.${number}`
    subnets.push({ subnet: `${four}.0/24`, family: 4, reserved: {}, ...(gateway(4) && { gateway: `${four}.1` }) })
    const six = `fd00:213:${(number + 1).toString(16)}:`
    if (ipv6) subnets.push({ subnet: `${six}:/64`, family: 6, reserved: {}, ...(gateway(6) && { gateway: `${six}:1` }) })
  }
  const name = sample.networkName ?? `conformance${number}`
  const network: NetworkView = { id, shortId: id.slice(0, SHORT_ID_LENGTH), name, labels: {}, internal, ipv4: true, ipv6, subnets, options }
  return capabilities.scope === 'global' ? { ...network, ...inCluster(driver, network, number) } : network
}

/** What only networks of a cluster have: numbers of their own, endpoints on other hosts, and keys that are shared with these. */
function inCluster(driver: NetworkDriver, network: NetworkView, number: number): Pick<NetworkView, 'numbers' | 'peers' | 'pairs'> {
  const requests = Object.entries(driver.numbers?.(network) ?? {})
  const numbers = requests.map(([name, { count, from, wanted }]) => [
    name,
    wanted ?? Array.from({ length: count }, (_, index) => from + number * count + index),
  ])
  const peer = (index: number): PeerView => ({
    id: sampleId('endpoint', PEER_NUMBERS + index),
    name: `peer${index}`,
    node: { name: `node${index}`, address: `192.0.2.${20 + index}` },
    mac: `02:42:0a:d5:01:0${index}`,
    addresses: network.subnets.map(({ subnet, family }) => {
      const [base = '', bits = ''] = subnet.split('/')
      return { address: `${family === 4 ? base.replace(/0$/, String(100 + index)) : `${base}10${index}`}/${bits}`, family }
    }),
  })
  const peers = [0, 1].map(peer)
  const pairs = new Map(peers.map(({ node }, index) => [node.name, pairWith(node, index)]))
  return {
    numbers: Object.fromEntries(numbers) as NetworkView['numbers'],
    peers: new Map(peers.map((each) => [each.id, each])),
    ...(driver.pairKeys?.(network) && { pairs }),
  }
}

/** The same for every network. */
function pairWith(node: NodeView, index: number): PairView {
  const keys = (first: number): PairKey[] =>
    [0, 1].map((more) => {
      const spi = 4096 + 16 * index + first + more
      return { spi, key: `sha256:${spi.toString(16).padStart(64, '0')}` }
    })
  return { node, out: keys(0), in: keys(8) }
}

/** Apart from those of endpoints on this host. */
const PEER_NUMBERS = 100

export function sampleEndpoint(driver: NetworkDriver, sample: DriverSample, network: NetworkView, number = 0): EndpointView {
  const id = sampleId('endpoint', number)
  const last = 2 + number
  return {
    id,
    shortId: id.slice(0, SHORT_ID_LENGTH),
    name: `member${number}`,
    interfaceName: `eth${number}`,
    mac: `02:42:0a:d5:00:${last.toString(16).padStart(2, '0')}`,
    addresses: network.subnets.map(({ subnet, family, gateway }) => {
      const [base = '', bits = ''] = subnet.split('/')
      const address = family === 4 ? base.replace(/0$/, String(last)) : `${base}${last.toString(16)}`
      return { address: `${address}/${bits}`, family, ...(gateway !== undefined && { gateway }) }
    }),
    ports: [],
    labels: {},
    options: driver.endpointOptions?.({ ...sample.endpointOptions }),
  }
}

/** The same, unchangeable all the way down: a driver that writes into what it was given throws. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  Object.freeze(value)
  for (const field of Object.values(value)) frozen(field)
  return value
}
