import {
  linkLocalOf,
  type EndpointView,
  type FirewallChain,
  type FirewallElement,
  type FirewallRule,
  type KernelObject,
  type NetworkView,
  type SetShape,
} from '../../../src/contracts/index.js'
import type { BridgeEndpointOptions } from '../endpoint-options.js'
import { bridgeName, portName } from '../kernel-names.js'
import type { BridgeOptions } from '../network-options.js'
import { concat, drop, is, isIn, meta, payload, rule } from './statements.js'

type Network = NetworkView<BridgeOptions>

/** Ports whose frames are looked at, and what may come from each; in a table of the bridge family, for there are no bridge ports in inet. */
const MACS_CHECKED: SetShape = { name: 'macs-checked', key: ['ifname'] }
const MACS: SetShape = { name: 'macs', key: ['ifname', 'ether_addr'] }
const ADDRESSES_CHECKED: SetShape = { name: 'addresses-checked', key: ['ifname'] }
const ADDRESSES4: SetShape = { name: 'addresses4', key: ['ifname', 'ipv4_addr'] }
const ADDRESSES6: SetShape = { name: 'addresses6', key: ['ifname', 'ipv6_addr'] }

/** Before anything else looks at the frame; NF_BR_PRI_NAT_DST_BRIDGED, as nft's `dstnat` of bridge tables. */
const PRIORITY = -300

export const checksMacs = ({ options }: Network): boolean => options.macSpoofCheck || checksAddresses({ options })
/** A policy goes by addresses, so that they must be true. */
export const checksAddresses = ({ options }: Pick<Network, 'options'>): boolean => options.addressSpoofCheck || options.policy !== undefined

export function describeSpoofTable(network: Network, table: string): KernelObject[] {
  if (!checksMacs(network)) return []
  const place = { at: 'host', family: 'bridge', table } as const
  const sets = [MACS_CHECKED, MACS, ADDRESSES_CHECKED, ADDRESSES4, ADDRESSES6]
  const chain: FirewallChain = {
    kind: 'nft-chain',
    ...place,
    name: 'spoof-check',
    base: { type: 'filter', hook: 'prerouting', priority: PRIORITY },
    rules: rules(),
  }
  return [
    { kind: 'nft-table', at: 'host', family: 'bridge', name: table },
    ...sets.map((set): KernelObject => ({ kind: 'nft-set', ...place, ...set })),
    chain,
  ]
}

function rules(): FirewallRule[] {
  const port = meta('iifname')
  const foreign = (comment: string, field: Parameters<typeof payload>[0], checked: SetShape, known: SetShape): FirewallRule =>
    rule(comment, isIn(port, checked.name), { match: { left: concat(port, payload(field)), op: '!=', right: `@${known.name}` } }, drop)
  return [
    foreign('foreign MAC', 'ether saddr', MACS_CHECKED, MACS),
    foreign('foreign address', 'ip saddr', ADDRESSES_CHECKED, ADDRESSES4),
    foreign('foreign address', 'ip6 saddr', ADDRESSES_CHECKED, ADDRESSES6),
    foreign('foreign address', 'arp saddr ip', ADDRESSES_CHECKED, ADDRESSES4),
    rule('hidden by a tag', isIn(port, ADDRESSES_CHECKED.name), is(payload('ether type'), { set: ['8021q', '8021ad'] }), drop),
  ]
}

/** The addresses of an endpoint, and those that say that one has none yet (probes for duplicates). */
export function describeTrueAddresses(endpoint: EndpointView<BridgeEndpointOptions>, network: Network, table: string): KernelObject[] {
  if (!checksMacs(network)) return []
  const port = portName(endpoint)
  const element = (set: SetShape, key: string[]): FirewallElement => ({
    kind: 'nft-element',
    at: 'host',
    family: 'bridge',
    table,
    set,
    key,
    comment: `endpoint/${endpoint.id}`,
  })
  const elements = [element(MACS_CHECKED, [port]), element(MACS, [port, endpoint.mac])]
  if (!checksAddresses(network)) return elements
  const addresses = ['0.0.0.0', '::', linkLocalOf(endpoint.mac), ...endpoint.addresses.map(({ address }) => address.split('/')[0]!)]
  const known = [...new Set(addresses)].map((address) => element(address.includes(':') ? ADDRESSES6 : ADDRESSES4, [port, address]))
  // The host itself does not believe who else claims an address.
  const neighbours = endpoint.addresses.map(({ address }): KernelObject => ({
    kind: 'neighbour',
    at: 'host',
    link: bridgeName(network),
    address: address.split('/')[0]!,
    mac: endpoint.mac,
    state: 'permanent',
  }))
  return [...elements, element(ADDRESSES_CHECKED, [port]), ...known, ...neighbours]
}
