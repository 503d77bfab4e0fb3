import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CnmError } from '../../src/contracts/errors.js'
import type { FirewallChain, FirewallElement, FirewallSet, SetShape, Statement } from '../../src/contracts/firewall.js'
import { describeFirewall } from '../../src/kernel/nftables/describe.js'
import { prepareChain } from '../../src/kernel/nftables/encode-chain.js'
import { encodeElements } from '../../src/kernel/nftables/encode-elements.js'
import { encodeSet } from '../../src/kernel/nftables/encode-set.js'
import { normalFirewall } from '../../src/kernel/nftables/normal-objects.js'
import { normalRule } from '../../src/kernel/nftables/normal-rule.js'
import { firewallElements, parseElements } from '../../src/kernel/nftables/parse-elements.js'
import { parseChain, parseGeneration, parseRule, parseTable } from '../../src/kernel/nftables/parse-objects.js'
import { parseSet } from '../../src/kernel/nftables/parse-set.js'
import { decompileRule } from '../../src/kernel/nftables/decompile-rule.js'
import { messages } from '../../src/kernel/netlink/reader.js'
import { MessageWriter } from '../../src/kernel/netlink/writer.js'
import { ruleWith } from '../kernel/nftables-arbitraries.js'

const where = { at: 'host', family: 'inet', table: 'mine' } as const
const normal = (...statements: Statement[]): Statement[] => normalRule({ statements }, 'inet').statements

describe('rules in normal form', () => {
  it('are their own normal form', () => {
    fc.assert(
      fc.property(ruleWith(true), (rule) => {
        const once = normalRule(rule, 'inet')
        expect(normalRule(once, 'inet')).toEqual(once)
      }),
    )
  })

  it('leave out what fields imply, and nothing else', () => {
    const tcp: Statement = { match: { left: { meta: 'l4proto' }, op: '==', right: 'tcp' } }
    const ipv4: Statement = { match: { left: { meta: 'nfproto' }, op: '==', right: 'ipv4' } }
    const port: Statement = { match: { left: { payload: 'tcp dport' }, op: '==', right: 80 } }
    const source: Statement = { match: { left: { payload: 'ip saddr' }, op: '==', right: '10.0.0.1' } }
    expect(normal(tcp, port)).toEqual([port])
    expect(normal(ipv4, source, tcp, port)).toEqual([source, port])
    expect(normal(ipv4, tcp, source, port)).toEqual([ipv4, tcp, source, port])
    expect(normal(tcp, { counter: true }, port)).toEqual([tcp, { counter: true }, port])
    expect(normal(ipv4, port)).toEqual([ipv4, port])
    expect(normal(tcp)).toEqual([tcp])
  })

  it('write constants in one way', () => {
    const right = (statement: Statement): unknown => (normal(statement)[0] as { match: { right: unknown } }).match.right
    expect(right({ match: { left: { payload: 'ip6 saddr' }, op: '==', right: 'FD00:0:0::0001' } })).toBe('fd00::1')
    expect(
      right({
        match: {
          left: { payload: 'ip saddr' },
          op: '==',
          right: { set: ['10.0.0.2/32', '10.0.0.0', { range: ['10.1.0.0', '10.1.255.255'] }] },
        },
      }),
    ).toEqual({ set: ['10.0.0.0', '10.0.0.2', '10.1.0.0/16'] })
    expect(right({ match: { left: { meta: 'l4proto' }, op: '==', right: 6 } })).toBe('tcp')
    expect(right({ match: { left: { ct: 'state' }, op: 'in', right: 'new' } })).toEqual(['new'])
    expect(right({ match: { left: { payload: 'ether saddr' }, op: '==', right: '02:AA:00:00:00:01' } })).toBe('02:aa:00:00:00:01')
    expect(normal({ limit: { rate: 5, per: 'day', burst: 5, unit: 'packets', over: false } })).toEqual([{ limit: { rate: 5, per: 'day' } }])
    expect(normal({ log: { level: 'warning', flags: [] } })).toEqual([{ log: {} }])
  })
})

describe('objects in normal form', () => {
  it('have no defaults', () => {
    const set: FirewallSet = {
      kind: 'nft-set',
      ...where,
      name: 's',
      key: ['ipv4_addr'],
      flags: ['timeout', 'interval'],
      policy: 'performance',
      autoMerge: false,
      counter: false,
      timeout: 1000,
    }
    expect(normalFirewall(set)).toEqual({
      kind: 'nft-set',
      ...where,
      name: 's',
      key: ['ipv4_addr'],
      flags: ['interval', 'timeout'],
      timeout: 1000,
    })
    const chain: FirewallChain = {
      kind: 'nft-chain',
      ...where,
      name: 'c',
      base: { type: 'filter', hook: 'input', priority: 0, policy: 'accept' },
      comment: undefined,
      rules: [],
    }
    expect(normalFirewall(chain)).toEqual({
      kind: 'nft-chain',
      ...where,
      name: 'c',
      base: { type: 'filter', hook: 'input', priority: 0 },
      rules: [],
    })
    expect('rules' in normalFirewall({ ...chain, rules: undefined })).toBe(false)
  })

  it('have keys and data written in one way', () => {
    const set: SetShape = { name: 's', key: ['ipv4_addr', 'inet_proto'], data: ['ipv6_addr'], flags: ['interval'] }
    const element: FirewallElement = {
      kind: 'nft-element',
      ...where,
      set,
      key: [{ range: ['10.0.0.0', '10.0.0.255'] }, 6],
      data: ['FD00::0'],
    }
    expect(normalFirewall(element)).toEqual({ ...element, key: ['10.0.0.0/24', 'tcp'], data: ['fd00::'] })
    expect(normalFirewall({ ...element, key: ['10.0.0.9/32', 'tcp'] }).key).toEqual(['10.0.0.9', 'tcp'])
  })
})

describe('what cannot be honoured is refused with the field', () => {
  const refused = (body: () => unknown): { code: string; field: string | undefined } => {
    try {
      body()
    } catch (error) {
      if (error instanceof CnmError) return { code: error.code, field: error.field }
      throw error
    }
    throw new Error('nothing was refused')
  }
  const chain = (...statements: unknown[]): FirewallChain => ({
    kind: 'nft-chain',
    ...where,
    name: 'c',
    rules: [{ statements: [] }, { statements: statements as Statement[] }],
  })

  it.each<[string, unknown, string]>([
    ['an unknown statement', { acept: true }, 'acept'],
    ['two statements in one', { accept: true, counter: true }, 'statement'],
    ['no statement', null, 'statement'],
    ['an unknown header field', { match: { left: { payload: 'tcp port' }, op: '==', right: 80 } }, 'match.left.payload'],
    ['an unknown key', { match: { left: { meta: 'marks' }, op: '==', right: 80 } }, 'match.left.meta'],
    ['an unknown operator', { match: { left: { meta: 'mark' }, op: '=', right: 80 } }, 'match.op'],
    ['no right side', { match: { left: { meta: 'mark' }, op: '==' } }, 'match.right'],
    ['an unknown field of a match', { match: { left: { meta: 'mark' }, op: '==', right: 1, wrong: 1 } }, 'match.wrong'],
    ['a number that does not fit', { match: { left: { payload: 'tcp dport' }, op: '==', right: 65536 } }, 'match.right'],
    ['a fraction', { match: { left: { meta: 'mark' }, op: '==', right: 1.5 } }, 'match.right'],
    ['an address of the other family', { match: { left: { payload: 'ip saddr' }, op: '==', right: 'fd00::1' } }, 'match.right'],
    ['a prefix with host bits', { match: { left: { payload: 'ip saddr' }, op: '==', right: '10.0.0.1/8' } }, 'match.right'],
    ['an empty range', { match: { left: { payload: 'tcp dport' }, op: '==', right: { range: [9, 5] } } }, 'match.right'],
    ['an order of names', { match: { left: { meta: 'iifname' }, op: '<', right: 'eth0' } }, 'match.op'],
    ['a name that is too long', { match: { left: { meta: 'iifname' }, op: '==', right: 'sixteen-letters.' } }, 'match.right'],
    ['an unknown flag', { match: { left: { ct: 'state' }, op: 'in', right: ['fresh'] } }, 'match.right'],
    ['flags of what has none', { match: { left: { meta: 'mark' }, op: 'in', right: 1 } }, 'match.op'],
    [
      'an address of connections without direction',
      { match: { left: { ct: 'ip saddr' }, op: '==', right: '10.0.0.1' } },
      'match.left.direction',
    ],
    ['a jump to nowhere', { jump: '' }, 'jump'],
    ['a verdict that is not meant', { accept: false }, 'accept'],
    ['a translation without family', { dnat: { to: { map: 'm', key: { payload: 'tcp dport' } } } }, 'dnat.family'],
    ['a translation to nothing', { dnat: { family: 'ip' } }, 'dnat'],
    [
      'a concatenation outside of sets',
      { match: { left: { concat: [{ meta: 'mark' }, { meta: 'iif' }] }, op: '==', right: 1 } },
      'match.left',
    ],
    ['a map where a value is compared', { match: { left: { map: 'm', key: { meta: 'mark' } }, op: '==', right: 1 } }, 'match.left'],
    ['a value in the wrong byte order', { mangle: { key: { meta: 'mark' }, value: { payload: 'ip saddr' } } }, 'mangle.value'],
    ['what cannot be set', { mangle: { key: { meta: 'iifname' }, value: 'eth0' } }, 'mangle.key'],
    ['a modulus of nothing', { mangle: { key: { meta: 'mark' }, value: { numgen: { mode: 'inc', mod: 0 } } } }, 'mangle.value.numgen.mod'],
    [
      'an endless key',
      { match: { left: { concat: Array.from({ length: 5 }, () => ({ payload: 'ip6 saddr' })) }, op: '==', right: '@s' } },
      'match.left.concat[4]',
    ],
    ['a level and a group of a log', { log: { group: 1, level: 'info' } }, 'log.group'],
    ['an unknown rejection', { reject: { type: 'icmp', code: 'because' } }, 'reject.code'],
    ['raw instructions that are not hex', { raw: [{ name: 'cmp', data: 'xyz' }] }, 'raw[0].data'],
  ])('%s', (_name, statement, field) => {
    expect(refused(() => prepareChain(chain({ counter: true }, statement)))).toEqual({
      code: 'ERR_CNM_INVALID_ARGUMENT',
      field: `rules[1].statements[1].${field}`,
    })
  })

  it('headers that no packet has together', () => {
    const ports: Statement[] = [
      { match: { left: { payload: 'tcp dport' }, op: '==', right: 1 } },
      { match: { left: { payload: 'udp dport' }, op: '==', right: 1 } },
    ]
    expect(refused(() => prepareChain(chain(...ports)))).toMatchObject({ field: 'rules[1].statements[1].payload' })
    expect(
      refused(() => prepareChain({ ...chain({ match: { left: { payload: 'ip6 saddr' }, op: '==', right: '::1' } }), family: 'ip' })),
    ).toMatchObject({ field: 'rules[1].statements[0].payload' })
  })

  it.each<[string, Partial<FirewallSet>, string]>([
    ['a type that there is not', { key: ['ipv5_addr' as never] }, 'key[0]'],
    ['no type', { key: [] }, 'key'],
    ['too many parts', { key: Array.from({ length: 6 }, () => 'mark' as const) }, 'key'],
    ['an unknown flag', { flags: ['big' as never] }, 'flags'],
    ['an option that there is not', { sise: 5 } as never, 'set.sise'],
    ['ranges of no data', { dataInterval: true }, 'dataInterval'],
    ['a name that nft could not read', { name: 'my set' }, 'name'],
    ['a comment that is too long', { comment: 'x'.repeat(129) }, 'comment'],
  ])('sets: %s', (_name, more, field) => {
    expect(
      refused(() => encodeSet(new MessageWriter(1), { kind: 'nft-set', ...where, name: 's', key: ['mark'], ...more }, true)).field,
    ).toBe(field)
  })

  it.each<[string, Partial<FirewallElement>, string]>([
    ['too few parts', { key: ['10.0.0.1'] }, 'key'],
    ['a range where there are none', { key: ['10.0.0.1', { range: [1, 2] }] }, 'key[1]'],
    ['data of a verdict map', { data: [5] }, 'verdict'],
    ['no verdict', { verdict: undefined }, 'verdict'],
  ])('elements: %s', (_name, more, field) => {
    const set: SetShape = { name: 's', key: ['ipv4_addr', 'inet_service'], data: 'verdict' }
    const element: FirewallElement = { kind: 'nft-element', ...where, set, key: ['10.0.0.1', 80], verdict: { accept: true }, ...more }
    expect(refused(() => encodeElements(new MessageWriter(1), set, [element])).field).toBe(field)
  })
})

describe('elements', () => {
  const set: SetShape = { name: 's', key: ['ipv6_addr', 'inet_service'], data: ['ipv6_addr'] }
  const element = (i: number): FirewallElement => ({
    kind: 'nft-element',
    ...where,
    set,
    key: [`fd00::${i.toString(16)}`, i],
    data: ['fd00::1'],
    comment: 'x'.repeat(100),
  })

  it('go into few messages, none of whose lists is longer than an attribute can be', () => {
    const writer = new MessageWriter(1)
    const elements = Array.from({ length: 5000 }, (_, i) => element(i + 1))
    encodeElements(writer, set, elements)
    const sent = [...messages(writer.bytes())]
    expect(sent.length).toBeGreaterThan(10)
    expect(sent.length).toBeLessThan(25)
    const read = sent.flatMap(({ payload }) =>
      firewallElements({ kind: 'nft-set', ...where, ...set }, parseElements(payload)).map((each) => each.element),
    )
    expect(read).toEqual(elements)
  })

  it('of interval sets come back as they went, whatever is beside them', () => {
    const shape: SetShape = { name: 's', key: ['inet_service'], flags: ['interval'] }
    const all: FirewallSet = { kind: 'nft-set', ...where, ...shape }
    const cuts = fc
      .uniqueArray(fc.integer({ min: 0, max: 65535 }), { minLength: 1, maxLength: 40 })
      .map((list) => list.sort((a, b) => a - b))
    fc.assert(
      fc.property(cuts, fc.array(fc.boolean(), { minLength: 41, maxLength: 41 }), (starts, present) => {
        const ranges = starts.flatMap((start, i) => (present[i] ? [{ start, end: (starts[i + 1] ?? 65536) - 1 }] : []))
        const elements = ranges.map(({ start, end }): FirewallElement => ({
          kind: 'nft-element',
          ...where,
          set: shape,
          key: [start === end ? start : { range: [start, end] }],
        }))
        const writer = new MessageWriter(1)
        encodeElements(writer, shape, elements)
        const read = [...messages(writer.bytes())].flatMap(({ payload }) => parseElements(payload))
        expect(firewallElements(all, read.reverse()).map((each) => each.element)).toEqual(elements)
      }),
    )
  })
})

describe("commands in nft's words", () => {
  it('tell what is made', () => {
    expect(describeFirewall('create', { kind: 'nft-table', at: 'host', family: 'inet', name: 'cnm' })).toBe('nft add table inet cnm')
    expect(
      describeFirewall('create', {
        kind: 'nft-chain',
        ...where,
        name: 'in',
        base: { type: 'nat', hook: 'prerouting', priority: -100 },
        rules: [],
      }),
    ).toBe('nft add chain inet mine in { type nat hook prerouting priority -100; }')
    expect(
      describeFirewall('create', {
        kind: 'nft-set',
        ...where,
        name: 'm',
        key: ['ipv4_addr', 'inet_service'],
        data: 'verdict',
        flags: ['interval'],
      }),
    ).toBe('nft add map inet mine m { type ipv4_addr . inet_service : verdict; flags interval; }')
    const set: SetShape = { name: 'm', key: ['ipv4_addr', 'inet_service'], data: 'verdict', flags: ['interval'] }
    const element: FirewallElement = {
      kind: 'nft-element',
      ...where,
      set,
      key: ['10.0.0.0/8', { range: [1, 9] }],
      verdict: { jump: 'x' },
      comment: 'c',
    }
    expect(describeFirewall('create', element)).toBe('nft add element inet mine m { 10.0.0.0/8 . 1-9 comment "c" : jump x }')
    expect(describeFirewall('delete', element)).toBe('nft delete element inet mine m { 10.0.0.0/8 . 1-9 }')
  })
})

describe('broken messages', () => {
  it('are read without throwing', () => {
    const set: FirewallSet = { kind: 'nft-set', ...where, name: 's', key: ['ipv4_addr', 'ifname'], data: ['mark'], flags: ['interval'] }
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.constantFrom('inet', 'ip', 'bridge'), (bytes, family) => {
        parseTable(bytes, 'host')
        parseChain(bytes)
        parseGeneration(bytes)
        parseSet(bytes, 'host')
        firewallElements(set, parseElements(bytes))
        const rule = parseRule(bytes)
        if (rule !== undefined) decompileRule(rule.instructions, family, () => undefined)
      }),
      { numRuns: 2000 },
    )
  })
})
