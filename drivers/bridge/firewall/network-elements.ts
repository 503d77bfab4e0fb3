import type { FirewallElement, KernelObject, NetworkView, Verdict } from '../../../src/contracts/index.js'
import { isOurs } from '../adoption.js'
import { gatewayMode, translates } from '../gateway-mode.js'
import { bridgeName } from '../kernel-names.js'
import type { BridgeOptions } from '../network-options.js'
import { describeTable, FROM_MEMBERS, markChain, PUBLISHED_ONLY, TO_MEMBERS, TO_NAT, TO_ROUTED, TO_UNPROTECTED } from './chains.js'
import * as sets from './sets.js'

type Network = NetworkView<BridgeOptions>

const NFPROTO = { 4: 'ipv4', 6: 'ipv6' } as const
const LOOPBACK = { 4: '127.0.0.0/8', 6: '::1' } as const
const DROP: Verdict = { drop: true }
const ACCEPT: Verdict = { accept: true }

/** The table, which all networks share, and what this network adds to its sets. */
export function describeFirewall(network: Network, table: string): KernelObject[] {
  const element = sets.elementsOf(table, `network/${network.id}`)
  const name = bridgeName(network)
  const own = isOurs(network)
  const elements = [
    element(sets.GUARDED, [name]),
    ...paths(network, element),
    ...sources(network, element),
    ...exceptions(network, element),
  ]
  if (own) elements.push(element(sets.BRIDGES, [name]))
  return [...describeTable(table), ...elements, ...marks(network, table, element)]
}

/** Where packets from, to and within the bridge go. */
function paths(network: Network, element: sets.ElementMaker): FirewallElement[] {
  const name = bridgeName(network)
  const elements: FirewallElement[] = []
  if (network.options.policy === undefined && network.options.icc) elements.push(element(sets.WITHIN, [name, name], { verdict: ACCEPT }))
  else if (network.options.policy === undefined && isOurs(network))
    elements.push(element(sets.WITHIN, [name, name], { verdict: { goto: PUBLISHED_ONLY } }))
  for (const family of sets.FAMILIES) {
    const [from, to] = [fromVerdict(network, family), toVerdict(network, family)]
    if (from !== undefined) elements.push(element(sets.FROM, [NFPROTO[family], name], { verdict: from }))
    if (to !== undefined) elements.push(element(sets.TO, [NFPROTO[family], name], { verdict: to }))
  }
  return elements
}

function fromVerdict(network: Network, family: sets.Family): Verdict | undefined {
  const closed = network.internal || gatewayMode(network, family) === 'none'
  if (!isOurs(network)) return network.internal ? { jump: FROM_MEMBERS } : undefined
  return closed ? DROP : undefined
}

/** On an adopted bridge there may be others, whose packets are none of our business. */
function toVerdict(network: Network, family: sets.Family): Verdict | undefined {
  if (!isOurs(network)) return gatewayMode(network, family) === 'none' ? undefined : { jump: TO_MEMBERS }
  return chainFor(network, family)
}

/** The verdict for a packet to an endpoint of the network, by gateway mode. */
export function chainFor(network: Network, family: sets.Family): Verdict {
  const mode = gatewayMode(network, family)
  if (network.internal || mode === 'none' || mode === 'isolated') return DROP
  return { goto: { nat: TO_NAT, 'nat-unprotected': TO_UNPROTECTED, routed: TO_ROUTED }[mode] }
}

/** Sources whose address is translated on the way out, or on the way back to their own bridge. */
function sources(network: Network, element: sets.ElementMaker): FirewallElement[] {
  const name = bridgeName(network)
  const elements: FirewallElement[] = []
  for (const family of sets.FAMILIES) {
    if (!translates(network, family)) continue
    elements.push(element(sets.hairpin(family), [name, LOOPBACK[family]]))
    for (const { subnet } of network.subnets.filter((each) => each.family === family)) {
      elements.push(element(sets.hairpin(family), [name, subnet]))
      if (isOurs(network)) elements.push(...outbound(network, family, subnet, element))
    }
  }
  return elements
}

/** How packets of a source leave the host: a subnet of the network, or on an adopted bridge an endpoint's address. */
export function outbound(network: Network, family: sets.Family, source: string, element: sets.ElementMaker): FirewallElement[] {
  const { masquerade, outbound4, outbound6 } = network.options
  if (!masquerade || !translates(network, family)) return []
  const address = family === 4 ? outbound4 : outbound6
  if (address === undefined) return [element(sets.masqueraded(family), [source])]
  return [element(sets.translated(family), [source], { data: [address] })]
}

function exceptions({ options, ...network }: Network, element: sets.ElementMaker): FirewallElement[] {
  const name = bridgeName({ options, ...network })
  const elements = options.trusted.map((link) => element(sets.TRUSTED, [link, name]))
  const { isolate } = options
  if (isolate === 'strict') elements.push(element(sets.STRICT, [name]))
  if (isolate === 'strict' || isolate === 'true') elements.push(element(sets.ISOLATED, [name]))
  if (isolate === 'false') elements.push(element(sets.OPEN, [name]))
  return elements
}

function marks(network: Network, table: string, element: sets.ElementMaker): KernelObject[] {
  const { acceptMark } = network.options
  if (acceptMark === undefined) return []
  const { chain, set } = markChain(table, acceptMark.mask)
  return [
    chain,
    { kind: 'nft-set', at: 'host', family: 'inet', table, ...set },
    element(set, [bridgeName(network), acceptMark.value]),
    element(sets.MARKED, [bridgeName(network)], { verdict: { jump: chain.name } }),
  ]
}
