import type { BaseChain, FirewallChain, FirewallRule, FirewallTable, KernelObject } from '../../../src/contracts/index.js'
import * as sets from './sets.js'
import { accept, concat, drop, hasAny, is, isIn, isNot, jump, leave, lookup, meta, payload, rule, verdictOf } from './statements.js'

/** The table's chains: the same for every network, however many there are. docs/firewall.md shows them as nft prints them. */

export const TO_NAT = 'to-nat'
export const TO_ROUTED = 'to-routed'
export const TO_UNPROTECTED = 'to-unprotected'
export const TO_MEMBERS = 'to-members'
export const FROM_MEMBERS = 'from-members'
export const PUBLISHED_ONLY = 'published-only'
const BETWEEN = 'between'
const PUBLISH = 'publish'
const USER_FORWARD = 'user-forward'

/** Priorities are those of nft's own names (raw, dstnat, filter, srcnat), so that others can place theirs before or after. */
const BASE: Record<string, BaseChain> = {
  'raw-prerouting': { type: 'filter', hook: 'prerouting', priority: -300 },
  'nat-prerouting': { type: 'nat', hook: 'prerouting', priority: -100 },
  'nat-output': { type: 'nat', hook: 'output', priority: -100 },
  'filter-forward': { type: 'filter', hook: 'forward', priority: 0 },
  'nat-postrouting': { type: 'nat', hook: 'postrouting', priority: 100 },
}

const IP = {
  4: { name: 'ip', nfproto: 'ipv4', source: payload('ip saddr'), destination: payload('ip daddr'), multicast: '224.0.0.0/4', icmp: 'icmp' },
  6: {
    name: 'ip6',
    nfproto: 'ipv6',
    source: payload('ip6 saddr'),
    destination: payload('ip6 daddr'),
    multicast: 'ff00::/8',
    icmp: 'icmpv6',
  },
} as const
const LOOPBACK = '127.0.0.0/8'

const input = meta('iifname')
const output = meta('oifname')
const nfproto = meta('nfproto')
const port = [meta('l4proto'), payload('th dport')] as const
const translatedHere = hasAny({ ct: 'status' }, ['dnat'])
const eachFamily = <T>(body: (family: sets.Family) => T | T[]): T[] => sets.FAMILIES.flatMap(body)

/** Packets of a bridge that say they come from, or go to, the host's loopback. The kernel drops them itself, unless route_localnet is on. */
const guardLoopback = (): FirewallRule[] => [
  rule('from loopback', is(IP[4].source, LOOPBACK), isIn(input, sets.GUARDED.name), drop),
  rule('to loopback', is(IP[4].destination, LOOPBACK), isIn(input, sets.GUARDED.name), drop),
]

/** Published ports, exact address before any address. Loopback belongs to the host alone: neighbours do not reach it. */
const publish = (): FirewallRule[] => [
  ...eachFamily((family) => {
    const key = concat(IP[family].destination, ...port)
    const { name } = IP[family]
    return [
      rule('published port', { dnat: { family: name, to: lookup(sets.ports(family).name, key) } }),
      rule('published range', { dnat: { family: name, address: lookup(sets.ranges(family).name, key) } }),
    ]
  }),
  rule('not for this host', isNot({ fib: { keys: ['daddr'], result: 'type' } }, 'local'), leave),
  ...eachFamily((family) => {
    const { name, nfproto: ipv } = IP[family]
    const key = concat(...port)
    return [
      rule('published port', is(nfproto, ipv), { dnat: { family: name, to: lookup(sets.anyPorts(family).name, key) } }),
      rule('published range', is(nfproto, ipv), { dnat: { family: name, address: lookup(sets.anyRanges(family).name, key) } }),
    ]
  }),
]

/** Segments that fit the route they take: packets that say an MTU is exceeded are lost too often. */
const clamp = (side: 'iifname' | 'oifname'): FirewallRule =>
  rule('segment size', is({ '&': [payload('tcp flags'), ['syn', 'rst']] }, 'syn'), isIn(meta(side), sets.GUARDED.name), {
    mangle: { key: { tcpOption: 'maxseg size' }, value: { rt: 'mtu' } },
  })

const forward = (): FirewallRule[] => [
  rule('rules of the user', jump(USER_FORWARD)),
  clamp('iifname'),
  clamp('oifname'),
  ...eachFamily((family) =>
    rule('denied by the user', isIn(IP[family].source, sets.userDenied(family).name), isIn(output, sets.GUARDED.name), drop),
  ),
  rule('known connections', hasAny({ ct: 'state' }, ['established', 'related']), accept),
  rule('within a network', verdictOf(sets.WITHIN.name, concat(input, output))),
  rule('out of a network', verdictOf(sets.FROM.name, concat(nfproto, input))),
  rule('into a network', verdictOf(sets.TO.name, concat(nfproto, output))),
]

/** What may come in when only published ports may. */
const toNat = (): FirewallRule[] => [
  rule('published', translatedHere, accept),
  rule('other networks', jump(BETWEEN)),
  rule('trusted interfaces', isIn(concat(input, output), sets.TRUSTED.name), accept),
  ...eachFamily((family) => rule('trusted by the user', isIn(IP[family].source, sets.userTrusted(family).name), accept)),
  rule('accepted marks', verdictOf(sets.MARKED.name, output)),
  rule('not published', drop),
]

const toRouted = (): FirewallRule[] => [
  rule('echo request', is(payload('icmp type'), 'echo-request'), accept),
  rule('echo request', is(payload('icmpv6 type'), 'echo-request'), accept),
  ...eachFamily((family) => [
    rule('published', isIn(concat(IP[family].destination, ...port), sets.routedPorts(family).name), accept),
    rule('published range', isIn(concat(IP[family].destination, ...port), sets.routedRanges(family).name), accept),
  ]),
  rule('as behind a translation', { goto: TO_NAT }),
]

const toUnprotected = (): FirewallRule[] => [
  rule('published', translatedHere, accept),
  rule('other networks', jump(BETWEEN)),
  rule('everything', accept),
]

/** From one network of ours to another, without a published port. */
const between = (): FirewallRule[] => [
  rule('from a strict network', isIn(input, sets.STRICT.name), drop),
  rule('to a strict network', isIn(output, sets.STRICT.name), isIn(input, sets.BRIDGES.name), drop),
  rule('both isolated', isIn(input, sets.ISOLATED.name), isIn(output, sets.ISOLATED.name), drop),
  rule('to an open network', isIn(output, sets.OPEN.name), isIn(input, sets.BRIDGES.name), accept),
]

const postrouting = (): FirewallRule[] => [
  ...eachFamily((family) => rule('multicast', is(IP[family].destination, IP[family].multicast), leave)),
  ...eachFamily((family) =>
    rule('hairpin', translatedHere, isIn(concat(output, IP[family].source), sets.hairpin(family).name), { masquerade: {} }),
  ),
  // With br_netfilter, packets between endpoints come by here too.
  ...eachFamily((family) => rule('on one bridge', isIn(concat(output, IP[family].source), sets.hairpin(family).name), leave)),
  rule('between networks', isIn(output, sets.BRIDGES.name), leave),
  ...eachFamily((family) =>
    rule('own address', { snat: { family: IP[family].name, address: lookup(sets.translated(family).name, IP[family].source) } }),
  ),
  ...eachFamily((family) => rule('masquerade', isIn(IP[family].source, sets.masqueraded(family).name), { masquerade: {} })),
]

const rules = (): Record<string, FirewallRule[] | undefined> => ({
  'raw-prerouting': guardLoopback(),
  'nat-prerouting': [rule('loopback of others', is(IP[4].destination, LOOPBACK), leave), rule('published ports', jump(PUBLISH))],
  'nat-output': [rule('published ports', jump(PUBLISH))],
  'filter-forward': forward(),
  'nat-postrouting': postrouting(),
  [PUBLISH]: publish(),
  [TO_NAT]: toNat(),
  [TO_ROUTED]: toRouted(),
  [TO_UNPROTECTED]: toUnprotected(),
  [TO_MEMBERS]: eachFamily((family) => rule('address of an endpoint', verdictOf(sets.members(family).name, IP[family].destination))),
  [FROM_MEMBERS]: eachFamily((family) => rule('address of an endpoint', isIn(IP[family].source, sets.confined(family).name), drop)),
  [PUBLISHED_ONLY]: [rule('published', translatedHere, accept), rule('no communication', drop)],
  [BETWEEN]: between(),
  [USER_FORWARD]: undefined,
})

/** The table with all its chains and sets, empty of networks. */
export function describeTable(table: string): KernelObject[] {
  const whole: FirewallTable = { kind: 'nft-table', at: 'host', family: 'inet', name: table }
  const chains = Object.entries(rules()).map(([name, own]): FirewallChain => {
    const base = BASE[name]
    return { kind: 'nft-chain', at: 'host', family: 'inet', table, name, ...(base && { base }), ...(own && { rules: own }) }
  })
  return [whole, ...sets.allSets(table), ...chains]
}

/** The chain that accepts packets by their mark under this mask, and the set of marks it looks in. */
export function markChain(table: string, mask: number): { chain: FirewallChain; set: sets.MarkSet } {
  const set = sets.marks(mask)
  const key = concat(output, { '&': [meta('mark'), mask] })
  const name = `accept-mark-${mask.toString(16)}`
  return {
    set,
    chain: { kind: 'nft-chain', at: 'host', family: 'inet', table, name, rules: [rule('accepted mark', isIn(key, set.name), accept)] },
  }
}
