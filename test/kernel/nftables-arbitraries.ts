/** Rules at random, of everything that the vocabulary has. */
import fc from 'fast-check'
import type {
  DataTypeName,
  Expression,
  FirewallRule,
  KeyPart,
  MapLookup,
  Match,
  NatTarget,
  Scalar,
  Statement,
  Verdict,
} from '../../src/contracts/firewall.js'
import { CnmError } from '../../src/contracts/errors.js'
import { normalRule } from '../../src/kernel/nftables/normal-rule.js'
import { ipText } from '../../src/kernel/netlink/ip.js'

const bytes = (length: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: length, maxLength: length })
const number = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max })
const port = number(0xffff)
const u32 = number(0xffffffff)
const ipv4 = bytes(4).map(ipText)
const ipv6 = bytes(16).map(ipText)
const mac = bytes(6).map((each) => Array.from(each, (byte) => byte.toString(16).padStart(2, '0')).join(':'))
const name = fc.stringMatching(/^[a-z][a-z0-9.-]{0,13}$/)
const setName = fc.constantFrom('one', 'two')

const VALUES: Partial<Record<DataTypeName, fc.Arbitrary<Scalar>>> = {
  ipv4_addr: ipv4,
  ipv6_addr: ipv6,
  ether_addr: mac,
  inet_service: port,
  inet_proto: fc.constantFrom('tcp', 'udp', 'icmp', 'sctp', 77, 250),
  mark: u32,
  uid: u32,
  ifname: name,
  ct_state: fc.constantFrom('new', 'established', 'related', 'invalid', 'untracked'),
  fib_addrtype: fc.constantFrom('local', 'broadcast', 'unicast', 'multicast'),
  icmp_type: fc.constantFrom('echo-request', 'echo-reply', 'redirect', 77),
  pkt_type: fc.constantFrom('host', 'broadcast', 'multicast', 'other'),
  dscp: fc.constantFrom('ef', 'af11', 'cs5', 3),
  nf_proto: fc.constantFrom('ipv4', 'ipv6'),
  boolean: fc.boolean(),
}

interface Typed {
  expression: Expression
  type: DataTypeName
}

const expressions: Typed[] = [
  ...(['ip saddr', 'ip daddr'] as const).map((payload): Typed => ({ expression: { payload }, type: 'ipv4_addr' })),
  ...(['ip6 saddr', 'ip6 daddr'] as const).map((payload): Typed => ({ expression: { payload }, type: 'ipv6_addr' })),
  ...(['tcp sport', 'tcp dport', 'udp dport', 'sctp dport', 'th sport', 'th dport'] as const).map((payload): Typed => ({
    expression: { payload },
    type: 'inet_service',
  })),
  { expression: { payload: 'ip protocol' }, type: 'inet_proto' },
  { expression: { payload: 'ip dscp' }, type: 'dscp' },
  { expression: { payload: 'icmp type' }, type: 'icmp_type' },
  { expression: { payload: 'ether saddr' }, type: 'ether_addr' },
  { expression: { meta: 'mark' }, type: 'mark' },
  { expression: { ct: 'mark' }, type: 'mark' },
  { expression: { socket: 'mark' }, type: 'mark' },
  { expression: { meta: 'skuid' }, type: 'uid' },
  { expression: { meta: 'iifname' }, type: 'ifname' },
  { expression: { meta: 'oifname' }, type: 'ifname' },
  { expression: { meta: 'l4proto' }, type: 'inet_proto' },
  { expression: { meta: 'nfproto' }, type: 'nf_proto' },
  { expression: { meta: 'pkttype' }, type: 'pkt_type' },
  { expression: { meta: 'ipsec' }, type: 'boolean' },
  { expression: { ct: 'state' }, type: 'ct_state' },
  { expression: { ct: 'ip daddr', direction: 'original' }, type: 'ipv4_addr' },
  { expression: { ct: 'proto-dst', direction: 'reply' }, type: 'inet_service' },
  { expression: { fib: { keys: ['daddr', 'iif'], result: 'type' } }, type: 'fib_addrtype' },
  { expression: { fib: { keys: ['saddr'], result: 'exists' } }, type: 'boolean' },
  { expression: { fib: { keys: ['daddr', 'mark'], result: 'oifname' } }, type: 'ifname' },
  { expression: { ipsec: 'ip saddr', direction: 'in' }, type: 'ipv4_addr' },
  { expression: { tcpOptionExists: 4 }, type: 'boolean' },
  { expression: { rt: 'ip nexthop' }, type: 'ipv4_addr' },
]
const typed = fc.constantFrom(...expressions)
const keyed = fc.constantFrom(...expressions.filter(({ type }) => type !== 'boolean'))
const value = ({ type }: Typed): fc.Arbitrary<Scalar> => VALUES[type]!
const isAddress = ({ type }: Typed): boolean => type === 'ipv4_addr' || type === 'ipv6_addr'
const isNumber = ({ type }: Typed): boolean => ['inet_service', 'mark', 'uid'].includes(type)

const prefix = (family: 4 | 6): fc.Arbitrary<string> =>
  fc.tuple(bytes(family === 4 ? 4 : 16), fc.integer({ min: 1, max: family === 4 ? 31 : 127 })).map(([address, length]) => {
    const network = address.map((byte, i) => byte & (0xff00 >> Math.min(8, Math.max(0, length - i * 8))))
    return `${ipText(network)}/${length}`
  })

/** Numbers in disjoint ranges and alone. */
const disjoint = fc
  .uniqueArray(number(50), { minLength: 1, maxLength: 5 })
  .chain((tens) =>
    fc.tuple(...tens.map((ten) => number(8).map((more): KeyPart => (more === 0 ? ten * 10 : { range: [ten * 10, ten * 10 + more] })))),
  )

function rightOf(left: Typed): fc.Arbitrary<Omit<Match, 'left'>> {
  const equality = fc.constantFrom<Match['op']>('==', '!=')
  const plain = fc.record({ op: equality, right: value(left) })
  const named = fc.record({ op: equality, right: setName.map((set) => `@${set}`) })
  const list = fc.record({ op: equality, right: fc.record({ set: fc.uniqueArray(value(left), { minLength: 1, maxLength: 6 }) }) })
  const choices: fc.Arbitrary<Omit<Match, 'left'>>[] = [plain]
  if (left.type !== 'boolean') choices.push(named, list)
  if (isAddress(left)) choices.push(fc.record({ op: equality, right: prefix(left.type === 'ipv4_addr' ? 4 : 6) }))
  if (left.type === 'ifname') choices.push(fc.record({ op: equality, right: name.map((text) => `${text}*`) }))
  if (left.type === 'ct_state')
    choices.push(
      fc.record({ op: fc.constantFrom<Match['op']>('in', '!in'), right: fc.uniqueArray(value(left), { minLength: 1, maxLength: 3 }) }),
    )
  if (isNumber(left)) {
    choices.push(fc.record({ op: fc.constantFrom<Match['op']>('<', '>', '<=', '>='), right: value(left) }))
    choices.push(
      fc.record({
        op: equality,
        right: fc.tuple(port, port).map(([a, b]) => ({ range: [Math.min(a, b), Math.max(a, b)] as [number, number] })),
      }),
    )
    choices.push(fc.record({ op: equality, right: disjoint.map((set) => ({ set })) }))
  }
  return fc.oneof(...choices)
}

const match = typed.chain((left) => rightOf(left).map((rest): Statement => ({ match: { left: left.expression, ...rest } })))
const masked = fc
  .record({ operator: fc.constantFrom('&', '|', '^'), mask: u32, value: u32 })
  .map(({ operator, mask, value: right }): Statement => ({
    match: { left: { [operator]: [{ meta: 'mark' }, mask] } as Expression, op: '==', right },
  }))

const key = fc.uniqueArray(keyed, { minLength: 2, maxLength: 4, selector: ({ expression }) => JSON.stringify(expression) })
const concatenation = key.chain((parts) =>
  fc
    .tuple(
      fc.uniqueArray(fc.tuple(...parts.map(value)), { minLength: 1, maxLength: 5, selector: (item) => JSON.stringify(item) }),
      fc.boolean(),
    )
    .map(([items, named]): Statement => ({
      match: { left: { concat: parts.map(({ expression }) => expression) }, op: '==', right: named ? '@one' : { set: items } },
    })),
)

const verdict: fc.Arbitrary<Verdict> = fc.constantFrom<Verdict>(
  { accept: true },
  { drop: true },
  { return: true },
  { continue: true },
  { jump: 'other' },
  { goto: 'other' },
)
const verdictMap = keyed.chain((left) =>
  fc.oneof(
    setName.map((map): Statement => ({ vmap: { key: left.expression, map } })),
    fc
      .uniqueArray(value(left), { minLength: 1, maxLength: 4 })
      .chain((items) => fc.tuple(...items.map((item) => verdict.map((each): [Scalar, Verdict] => [item, each]))))
      .map((map): Statement => ({ vmap: { key: left.expression, map } })),
  ),
)

const hashed: fc.Arbitrary<Expression> = fc.oneof(
  fc
    .record({
      mode: fc.constantFrom('inc' as const, 'random' as const),
      mod: fc.integer({ min: 1, max: 100 }),
      offset: fc.integer({ min: 1, max: 9 }),
    })
    .map((numgen) => ({ numgen })),
  fc
    .record({ mod: fc.integer({ min: 1, max: 100 }), seed: fc.integer({ min: 1, max: 0xffffffff }) })
    .map((more) => ({ jhash: { key: { payload: 'ip saddr' as const }, ...more } })),
  fc.integer({ min: 1, max: 100 }).map((mod) => ({ symhash: { mod } })),
)
const lookup = (data: fc.Arbitrary<Scalar | Scalar[]>): fc.Arbitrary<MapLookup> =>
  fc.oneof(
    fc.record({ map: setName, key: hashed }),
    fc
      .tuple(hashed, fc.array(data, { minLength: 1, maxLength: 4 }))
      .map(([expression, list]) => ({ map: list.map((item, i): [number, Scalar | Scalar[]] => [i, item]), key: expression })),
  )

const nat: fc.Arbitrary<Statement> = fc.constantFrom<'snat' | 'dnat'>('snat', 'dnat').chain((kind) =>
  fc
    .oneof<fc.Arbitrary<NatTarget>[]>(
      fc.record({
        family: fc.constant('ip' as const),
        address: fc.oneof<fc.Arbitrary<Scalar | MapLookup>[]>(ipv4, prefix(4), lookup(ipv4)),
      }),
      fc.record({ family: fc.constant('ip6' as const), address: ipv6, port }),
      fc.record({ family: fc.constant('ip' as const), to: lookup(fc.tuple(ipv4, port)) }),
      fc.record({
        family: fc.constant('ip6' as const),
        to: lookup(fc.tuple(ipv6, port)),
        flags: fc.constant(['random' as const, 'persistent' as const]),
      }),
    )
    .map((target): Statement => (kind === 'snat' ? { snat: target } : { dnat: target })),
)

const mangle: fc.Arbitrary<Statement> = fc.oneof(
  u32.map((mark): Statement => ({ mangle: { key: { meta: 'mark' }, value: mark } })),
  fc
    .tuple(u32, u32)
    .map(([mask, bits]): Statement => ({ mangle: { key: { ct: 'mark' }, value: { '|': [{ '&': [{ meta: 'mark' }, mask] }, bits] } } })),
  lookup(u32).map((map): Statement => ({ mangle: { key: { meta: 'mark' }, value: map } })),
  number(255).map((ttl): Statement => ({ mangle: { key: { payload: 'ip ttl' }, value: ttl } })),
  ipv4.map((address): Statement => ({ mangle: { key: { payload: 'ip saddr' }, value: address } })),
  port.map((dport): Statement => ({ mangle: { key: { payload: 'tcp dport' }, value: dport } })),
  fc.constant<Statement>({ mangle: { key: { tcpOption: 'maxseg size' }, value: { rt: 'mtu' } } }),
)

const other: fc.Arbitrary<Statement> = fc.oneof(
  fc.constantFrom<Statement>(
    { counter: true },
    { notrack: true },
    { masquerade: {} },
    { reject: { type: 'tcp reset' } },
    { reject: { type: 'icmp', code: 'host-unreachable' } },
  ),
  port.map((each): Statement => ({ redirect: { port: each } })),
  fc
    .record({
      rate: fc.integer({ min: 1, max: 1000 }),
      per: fc.constantFrom('second' as const, 'hour' as const),
      burst: fc.integer({ min: 6, max: 1000 }),
    })
    .map((limit): Statement => ({ limit })),
  name.map((text): Statement => ({ log: { prefix: text } })),
  fc.integer({ min: 1, max: 1e12 }).map((limit): Statement => ({ quota: { bytes: limit } })),
)

/** Without the statements that contradict the ones before: no packet has the headers of tcp and of udp. */
function consistent(statements: Statement[]): Statement[] {
  const kept: Statement[] = []
  for (const statement of statements) {
    try {
      normalRule({ statements: [...kept, statement] }, 'inet')
      kept.push(statement)
    } catch (error) {
      if (!(error instanceof CnmError && error.message.includes('has no header of'))) throw error
    }
  }
  return kept
}

const refersToSets = (statement: Statement): boolean => /"(@|map":")(one|two)"/.test(JSON.stringify(statement))

/** @param named whether rules may look into sets with a name */
export const ruleWith = (named: boolean): fc.Arbitrary<FirewallRule> =>
  fc.record(
    {
      statements: fc
        .tuple(
          fc.array(fc.oneof(match, match, masked, concatenation, mangle, other), { maxLength: 5 }),
          fc.oneof(verdict, verdictMap, nat, match),
        )
        .map(([list, last]): Statement[] => consistent([...list, last].filter((each) => named || !refersToSets(each)))),
      comment: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((text) => !text.includes('\0')),
    },
    { requiredKeys: ['statements'] },
  )
