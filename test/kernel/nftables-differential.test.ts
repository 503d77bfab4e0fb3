import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type {
  BaseChain,
  FirewallChain,
  FirewallElement,
  FirewallFamily,
  FirewallObject,
  FirewallSet,
  SetShape,
} from '../../src/contracts/firewall.js'
import { firewallHandlers, normalFirewall } from '../../src/kernel/nftables/index.js'
import { needs, needsPrivileges } from '../tools.js'
import { destinationNat, inetCases, otherFamilies, proxying, sourceNat, type Case } from './nftables-cases.js'
import { create, makeNamespace, nft, remove, removeNamespace, ruleset, run } from './nftables-world.js'
import { openSession, type OpenSession } from './session.js'

const cannot = needsPrivileges() ?? needs('nft', 'ip', 'nsenter')

const SHAPES: SetShape[] = [
  { name: 'addresses', key: ['ipv4_addr'] },
  { name: 'nets', key: ['ipv4_addr'], flags: ['interval'] },
  { name: 'names', key: ['ifname'] },
  { name: 'marks', key: ['mark'], flags: ['interval'] },
  { name: 'vnis', key: [{ payload: { base: 'th', offset: 96, length: 24 } }] },
  { name: 'services', key: ['ipv4_addr', 'inet_service'], flags: ['interval'] },
  { name: 'pairs', key: ['ifname', 'ifname'], data: 'verdict' },
  { name: 'verdicts', key: ['ifname'], data: 'verdict' },
  { name: 'marks-of', key: ['ipv4_addr'], data: ['mark'] },
  { name: 'seen', key: ['ipv4_addr'], flags: ['timeout', 'dynamic'] },
  { name: 'seen-pairs', key: ['ipv4_addr', 'inet_service'], flags: ['dynamic'] },
  { name: 'seen-marks', key: ['ipv4_addr'], data: ['mark'], flags: ['dynamic'] },
  { name: 'ports4', key: ['inet_proto', 'ipv4_addr', 'inet_service'], data: ['ipv4_addr', 'inet_service'] },
  { name: 'ports6', key: ['inet_proto', 'ipv6_addr', 'inet_service'], data: ['ipv6_addr', 'inet_service'] },
  { name: 'hosts', key: ['inet_service'], data: ['ipv4_addr'] },
  { name: 'sources', key: ['ipv4_addr'], data: ['ipv4_addr'], flags: ['interval'] },
  { name: 'prefixes', key: ['ipv4_addr'], data: ['ipv4_addr'], dataInterval: true, flags: ['interval'] },
  { name: 'backends', key: [{ numgen: { mode: 'random', mod: 2 } }], data: ['ipv4_addr'] },
]

/** The same sets in nft's words. */
const DECLARATIONS = `
  set addresses { type ipv4_addr; }
  set nets { type ipv4_addr; flags interval; }
  set names { type ifname; }
  set marks { type mark; flags interval; }
  set vnis { typeof @th,96,24; }
  set services { type ipv4_addr . inet_service; flags interval; }
  map pairs { type ifname . ifname : verdict; }
  map verdicts { type ifname : verdict; }
  map marks-of { type ipv4_addr : mark; }
  set seen { type ipv4_addr; size 65535; flags dynamic,timeout; }
  set seen-pairs { type ipv4_addr . inet_service; size 65535; flags dynamic; }
  map seen-marks { type ipv4_addr : mark; size 65535; flags dynamic; }
  map ports4 { type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service; }
  map ports6 { type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service; }
  map hosts { type inet_service : ipv4_addr; }
  map sources { type ipv4_addr : ipv4_addr; flags interval; }
  map prefixes { type ipv4_addr : interval ipv4_addr; flags interval; }
  map backends { typeof numgen random mod 2 : ip daddr; }
  chain other { }
`

const TABLE = 'test'
let open: OpenSession
let ours: string
let theirs: string

beforeAll(() => {
  if (cannot !== undefined) return
  open = openSession()
  ours = makeNamespace('nft-ours')
  theirs = makeNamespace('nft-theirs')
  for (const at of [ours, theirs]) run(at, 'ip', 'link', 'add', 'port0', 'type', 'veth', 'peer', 'name', 'port1')
})

afterAll(() => {
  if (cannot !== undefined) return
  open[Symbol.dispose]()
  removeNamespace(ours)
  removeNamespace(theirs)
})

const sets = (family: FirewallFamily): FirewallSet[] =>
  SHAPES.map((shape) => ({
    kind: 'nft-set',
    at: ours,
    family,
    table: TABLE,
    ...shape,
    ...(shape.name.startsWith('seen') && { size: 65535 }),
  }))

/** One chain for each case, so that a difference shows which. */
function build(cases: readonly Case[], base?: BaseChain): FirewallObject[] {
  const [{ family } = { family: 'inet' as const }] = cases
  const chains = cases.map(({ statements }, i): FirewallChain => ({
    kind: 'nft-chain',
    at: ours,
    family,
    table: TABLE,
    name: `case-${i}`,
    ...(base && { base }),
    rules: [{ statements, comment: `case ${i}` }],
  }))
  const other: FirewallChain = { kind: 'nft-chain', at: ours, family, table: TABLE, name: 'other', rules: [] }
  return [{ kind: 'nft-table', at: ours, family, name: TABLE }, ...(family === 'inet' ? [...sets(family), other] : []), ...chains]
}

function script(cases: readonly Case[], base = ''): string {
  const [{ family } = { family: 'inet' as const }] = cases
  const chains = cases.map(({ nft: rule }, i) => `  chain case-${i} { ${base} ${rule} comment "case ${i}"; }`)
  return `table ${family} ${TABLE} {\n${family === 'inet' ? DECLARATIONS : ''}\n${chains.join('\n')}\n}`
}

interface Comparison {
  ours: unknown[]
  theirs: unknown[]
  /** Our reading of what we wrote, and of what nft wrote. */
  read: FirewallChain[]
  readTheirs: FirewallChain[]
}

function compare(cases: readonly Case[], base?: BaseChain, baseText?: string): Comparison {
  const [{ family } = { family: 'inet' as const }] = cases
  create(open.session, build(cases, base))
  nft(theirs, script(cases, baseText))
  try {
    const list = (at: string): FirewallChain[] => firewallHandlers['nft-chain'].list!(at, open.session, [`${family} ${TABLE}`])
    return { ours: ruleset(ours), theirs: ruleset(theirs), read: list(ours), readTheirs: list(theirs) }
  } finally {
    remove(open.session, [{ kind: 'nft-table', at: ours, family, name: TABLE }])
    nft(theirs, `delete table ${family} ${TABLE}`)
  }
}

interface Listed {
  rule?: { chain: string; expr: unknown }
}

function check(cases: readonly Case[], base?: BaseChain, baseText?: string): void {
  const result = compare(cases, base, baseText)
  const rules = (list: unknown[], chain: string): unknown[] =>
    list.flatMap((entry) => ((entry as Listed).rule?.chain === chain ? [(entry as Listed).rule?.expr] : []))
  const rulesOf = (chains: FirewallChain[], name: string): unknown => chains.find((chain) => chain.name === name)?.rules
  cases.forEach(({ nft: text, statements, family }, i) => {
    const name = `case-${i}`
    expect(rules(result.ours, name), text).toEqual(rules(result.theirs, name))
    const normal = normalFirewall<FirewallChain>({
      kind: 'nft-chain',
      at: ours,
      family,
      table: TABLE,
      name,
      rules: [{ statements, comment: `case ${i}` }],
    })
    expect(rulesOf(result.read, name), text).toEqual(normal.rules)
    expect(rulesOf(result.readTheirs, name), text).toEqual(normal.rules)
  })
  expect(result.ours).toEqual(result.theirs)
}

describe.skipIf(cannot)('rules written by libcnm and by nft are the same', () => {
  it('in regular chains of inet tables', () => check(inetCases))
  it('that translate destinations', () =>
    check(destinationNat, { type: 'nat', hook: 'prerouting', priority: -100 }, 'type nat hook prerouting priority -100;'))
  it('that translate sources', () =>
    check(sourceNat, { type: 'nat', hook: 'postrouting', priority: 100 }, 'type nat hook postrouting priority 100;'))
  it('that hand packets to local sockets', () =>
    check(
      proxying,
      { type: 'filter', hook: 'prerouting', priority: -150, policy: 'drop' },
      'type filter hook prerouting priority -150; policy drop;',
    ))
  it.each(['ip', 'ip6', 'bridge', 'arp'] as const)('in %s tables', (family) =>
    check(otherFamilies.filter((each) => each.family === family)),
  )
  it('in netdev tables, on a device', () =>
    check(
      otherFamilies.filter(({ family }) => family === 'netdev'),
      { type: 'filter', hook: 'ingress', priority: 0, device: 'port0' },
      'type filter hook ingress device "port0" priority 0;',
    ))
})

/** Elements in nft's words and in ours. */
const ELEMENTS: [set: string, nft: string, elements: Partial<FirewallElement>[]][] = [
  ['addresses', '10.0.0.1, 10.0.0.2 comment "two"', [{ key: ['10.0.0.1'] }, { key: ['10.0.0.2'], comment: 'two' }]],
  [
    'nets',
    '10.0.0.0/8, 11.0.0.0/8, 192.168.1.1, 192.168.1.2, 192.168.1.5-192.168.1.9, 224.0.0.0-255.255.255.255',
    [
      { key: ['10.0.0.0/8'] },
      { key: ['11.0.0.0/8'] },
      { key: ['192.168.1.1'] },
      { key: ['192.168.1.2'] },
      { key: [{ range: ['192.168.1.5', '192.168.1.9'] }] },
      { key: ['224.0.0.0/3'] },
    ],
  ],
  ['names', '"eth0", "veth12345"', [{ key: ['eth0'] }, { key: ['veth12345'] }]],
  ['marks', '0x5-0x9, 0x100', [{ key: [{ range: [5, 9] }] }, { key: [256] }]],
  ['vnis', '0x100, 0x1000', [{ key: [256] }, { key: [4096] }]],
  [
    'services',
    '10.0.0.0/8 . 80-90, 1.2.3.4 . 5, 1.2.3.5-1.2.3.9 . 0-65535',
    [
      { key: ['10.0.0.0/8', { range: [80, 90] }] },
      { key: ['1.2.3.4', 5] },
      { key: [{ range: ['1.2.3.5', '1.2.3.9'] }, { range: [0, 65535] }] },
    ],
  ],
  [
    'pairs',
    '"a" . "b" : accept, "a" . "c" : jump other',
    [
      { key: ['a', 'b'], verdict: { accept: true } },
      { key: ['a', 'c'], verdict: { jump: 'other' } },
    ],
  ],
  [
    'verdicts',
    '"a" : drop, "b" : goto other, "c" : return, "d" : continue',
    [
      { key: ['a'], verdict: { drop: true } },
      { key: ['b'], verdict: { goto: 'other' } },
      { key: ['c'], verdict: { return: true } },
      { key: ['d'], verdict: { continue: true } },
    ],
  ],
  [
    'marks-of',
    '10.0.0.1 : 0x5, * : 0x6',
    [
      { key: ['10.0.0.1'], data: [5] },
      { key: ['*'], data: [6] },
    ],
  ],
  ['seen', '10.0.0.1 timeout 5m', [{ key: ['10.0.0.1'], timeout: 300_000 }]],
  [
    'ports4',
    'tcp . 1.2.3.4 . 80 comment "endpoint" : 10.0.0.2 . 8080, udp . 0.0.0.0 . 53 : 10.0.0.3 . 53',
    [
      { key: ['tcp', '1.2.3.4', 80], data: ['10.0.0.2', 8080], comment: 'endpoint' },
      { key: ['udp', '0.0.0.0', 53], data: ['10.0.0.3', 53] },
    ],
  ],
  ['ports6', 'tcp . fd00::1 . 80 : fd00:1::2 . 8080', [{ key: ['tcp', 'fd00::1', 80], data: ['fd00:1::2', 8080] }]],
  ['hosts', '80 : 10.0.0.1', [{ key: [80], data: ['10.0.0.1'] }]],
  [
    'sources',
    '10.0.0.0/24 : 192.0.2.1, 10.0.1.0/24 : 192.0.2.2',
    [
      { key: ['10.0.0.0/24'], data: ['192.0.2.1'] },
      { key: ['10.0.1.0/24'], data: ['192.0.2.2'] },
    ],
  ],
  ['prefixes', '10.0.0.0/24 : 192.168.5.0/24', [{ key: ['10.0.0.0/24'], data: ['192.168.5.0/24'] }]],
  [
    'backends',
    '0 : 10.0.0.1, 1 : 10.0.0.2',
    [
      { key: [0], data: ['10.0.0.1'] },
      { key: [1], data: ['10.0.0.2'] },
    ],
  ],
]

describe.skipIf(cannot)('sets and elements written by libcnm and by nft are the same', () => {
  const table = { kind: 'nft-table', at: '', family: 'inet', name: TABLE } as const

  it('and each reads what the other has written', () => {
    const elements = ELEMENTS.flatMap(([name, , list]) =>
      list.map((element): FirewallElement => ({
        kind: 'nft-element',
        at: ours,
        family: 'inet',
        table: TABLE,
        set: SHAPES.find((shape) => shape.name === name)!,
        key: [],
        ...element,
      })),
    )
    create(open.session, [...build([]), ...elements])
    nft(theirs, script([]) + ELEMENTS.map(([name, text]) => `\nadd element inet ${TABLE} ${name} { ${text} }`).join(''))
    try {
      expect(withoutExpiry(ruleset(ours))).toEqual(withoutExpiry(ruleset(theirs)))
      const read = (at: string): unknown[] =>
        [...firewallHandlers['nft-set'].list!(at, open.session), ...firewallHandlers['nft-element'].list!(at, open.session)].map(
          (object) => ({ ...object, at: '' }),
        )
      expect(read(ours)).toEqual(read(theirs))
      expect(byText(read(ours))).toEqual(byText([...sets('inet'), ...elements].map((object) => ({ ...normalFirewall(object), at: '' }))))
    } finally {
      remove(open.session, [{ ...table, at: ours }])
      nft(theirs, `delete table inet ${TABLE}`)
    }
  })

  it('with every option', () => {
    const set: FirewallSet = {
      kind: 'nft-set',
      at: ours,
      family: 'inet',
      table: TABLE,
      name: 'everything',
      key: ['ipv4_addr', 'inet_service'],
      flags: ['interval', 'timeout'],
      size: 100,
      timeout: 60_000,
      gcInterval: 10_000,
      counter: true,
      comment: 'everything',
      policy: 'memory',
      autoMerge: true,
    }
    create(open.session, [{ ...table, at: ours, comment: 'a table' }, set])
    nft(
      theirs,
      `table inet ${TABLE} { comment "a table"; set everything { type ipv4_addr . inet_service; flags interval,timeout; size 100; timeout 60s; gc-interval 10s; counter; comment "everything"; policy memory; auto-merge; }; }`,
    )
    try {
      expect(ruleset(ours)).toEqual(ruleset(theirs))
      expect(firewallHandlers['nft-set'].list!(ours, open.session)).toEqual([normalFirewall(set)])
      expect(firewallHandlers['nft-table'].list!(ours, open.session)).toEqual([{ ...table, at: ours, comment: 'a table' }])
    } finally {
      remove(open.session, [{ ...table, at: ours }])
      nft(theirs, `delete table inet ${TABLE}`)
    }
  })
})

/** The time that is left is not the same for both. */
const withoutExpiry = (list: unknown): unknown =>
  JSON.parse(JSON.stringify(list, (key, value: unknown) => (key === 'expires' ? undefined : value)))
const byText = (list: unknown[]): string[] => list.map((value) => JSON.stringify(sorted(value))).sort()
const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, child]) => [key, sorted(child)]),
  )
}
