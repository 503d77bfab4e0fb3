import type {
  EndpointView,
  FirewallChain,
  FirewallRule,
  KernelObject,
  NetworkView,
  SetShape,
  Statement,
  SysctlObject,
} from '../../../src/contracts/index.js'
import type { BridgeEndpointOptions } from '../endpoint-options.js'
import { elementsOf, FAMILIES, WITHIN, type Family } from '../firewall/sets.js'
import { accept, drop, hasAny, is, isIn, meta, payload, rule } from '../firewall/statements.js'
import { bridgeName } from '../kernel-names.js'
import type { BridgeOptions } from '../network-options.js'
import { selects, type Allowance, type PolicyPorts, type Selector } from './parse-policy.js'

type Network = NetworkView<BridgeOptions>
type Side = 'from' | 'to'

/** The kernel's own, in hundredths of a second. */
const PROXY_DELAY = '80'

const ADDRESS = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const
const FIELD = { 4: { from: 'ip saddr', to: 'ip daddr' }, 6: { from: 'ip6 saddr', to: 'ip6 daddr' } } as const

/**
 * Who may talk to whom on one network. Its bridge ports are isolated from one another, so that packets between
 * endpoints go through the host, which answers for them (proxy ARP, proxy NDP) and forwards what the policy allows.
 * A statement is a rule; whom it speaks of is in sets, where endpoints put their addresses when they join.
 */
export function describePolicy(network: Network, table: string): KernelObject[] {
  const { policy } = network.options
  if (policy === undefined) return []
  const name = bridgeName(network)
  const element = elementsOf(table, `network/${network.id}`)
  const chain: FirewallChain = {
    kind: 'nft-chain',
    at: 'host',
    family: 'inet',
    table,
    name: chainName(network),
    rules: policyRules(network, policy),
  }
  const policed: SetShape = { name: 'policed', key: ['ifname'] }
  return [
    chain,
    { kind: 'nft-set', at: 'host', family: 'inet', table, ...policed },
    {
      kind: 'nft-chain',
      at: 'host',
      family: 'inet',
      table,
      name: 'filter-output',
      base: { type: 'filter', hook: 'output', priority: 0 },
      rules: silence(policed.name),
    },
    element(policed, [name]),
    ...policy
      .flatMap((allowance, index) => namedSides(allowance).flatMap((side) => FAMILIES.map((family) => setOf(network, index, side, family))))
      .map((set): KernelObject => ({ kind: 'nft-set', at: 'host', family: 'inet', table, ...set })),
    element(WITHIN, [name, name], { verdict: { goto: chain.name } }),
    ...proxies(network),
  ]
}

/** A router tells neighbours to talk to each other directly, and where: here they must not. */
const silence = (policed: string): FirewallRule[] => [
  rule('no redirects', is(payload('icmp type'), 'redirect'), isIn(meta('oifname'), policed), drop),
  rule('no redirects', is(payload('icmpv6 type'), 'nd-redirect'), isIn(meta('oifname'), policed), drop),
]

/** The host answers for endpoints at once; by default, a proxy waits up to 0.8 s for the real one. */
function proxies(network: Network): SysctlObject[] {
  const name = bridgeName(network)
  const sysctl = (path: string, value: string, after: string): SysctlObject => ({ kind: 'sysctl', at: 'host', path, value, after })
  const families = network.ipv6 ? ([4, 6] as const) : ([4] as const)
  return families.flatMap((family) => [
    sysctl(`net/ipv${family}/conf/${name}/${family === 4 ? 'proxy_arp_pvlan' : 'proxy_ndp'}`, '1', '0'),
    sysctl(`net/ipv${family}/neigh/${name}/proxy_delay`, '0', PROXY_DELAY),
  ])
}

/** What an endpoint adds to the policy of its network. */
export function describeMember(endpoint: EndpointView<BridgeEndpointOptions>, network: Network, table: string): KernelObject[] {
  const { policy } = network.options
  if (policy === undefined) return []
  const element = elementsOf(table, `endpoint/${endpoint.id}`)
  const objects: KernelObject[] = []
  for (const { address: prefixed, family } of endpoint.addresses) {
    const address = prefixed.split('/')[0]!
    if (family === 6) objects.push({ kind: 'neighbour', at: 'host', link: bridgeName(network), address, proxy: true })
    policy.forEach((allowance, index) => {
      for (const side of namedSides(allowance)) {
        if (selects(allowance[side], endpoint)) objects.push(element(setOf(network, index, side, family), [address]))
      }
    })
  }
  return objects
}

const chainName = ({ shortId }: Network): string => `policy-${shortId}`

const setOf = ({ shortId }: Network, index: number, side: Side, family: Family): SetShape => ({
  name: `policy-${shortId}-${index + 1}-${side}${family}`,
  key: [ADDRESS[family]],
})

const isNamed = (selector: Selector): boolean => !('any' in selector)
const namedSides = (allowance: Allowance): Side[] => (['from', 'to'] as const).filter((side) => isNamed(allowance[side]))

function policyRules(network: Network, policy: readonly Allowance[]): FirewallRule[] {
  const rules = policy.flatMap((allowance, index) =>
    (namedSides(allowance).length === 0 ? [undefined] : FAMILIES).flatMap((family) => {
      const whom =
        family === undefined
          ? []
          : namedSides(allowance).map((side) => isIn(payload(FIELD[family][side]), setOf(network, index, side, family).name))
      return portMatches(allowance.ports).map((match) => rule(`statement ${index + 1}`, ...whom, ...match, accept))
    }),
  )
  return [rule('published', hasAny({ ct: 'status' }, ['dnat']), accept), ...rules, rule('not allowed', drop)]
}

/** One match for protocols with ports, one for those as a whole; none at all when everything is allowed. */
function portMatches(ports: readonly PolicyPorts[]): Statement[][] {
  if (ports.length === 0) return [[]]
  const matches: Statement[][] = []
  const whole = ports
    .filter(({ first }) => first === undefined)
    .flatMap(({ protocol }) => (protocol === 'icmp' ? ['icmp', 'ipv6-icmp'] : [protocol]))
  if (whole.length > 0) matches.push([is(meta('l4proto'), { set: [...new Set(whole)] })])
  for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
    const numbers = ports.filter((each) => each.protocol === protocol && each.first !== undefined)
    if (numbers.length === 0) continue
    const set = numbers.map(({ first, last }) => (first === last ? first! : { range: [first!, last!] as [number, number] }))
    matches.push([is(payload(`${protocol} dport`), { set })])
  }
  return matches
}
