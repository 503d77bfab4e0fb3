import { Kernel } from 'libcnm/kernel'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type {
  FirewallChain,
  FirewallElement,
  FirewallObject,
  FirewallRule,
  FirewallSet,
  FirewallTable,
  SetShape,
} from '../../src/contracts/firewall.js'
import { CnmError } from '../../src/contracts/errors.js'
import type { KernelObject } from '../../src/contracts/kernel-objects.js'
import type { Operation } from '../../src/contracts/operations.js'
import { NETLINK_NETFILTER } from '../../src/kernel/handler.js'
import { firewallHandlers, generation, readCounters } from '../../src/kernel/nftables/index.js'
import { leftBehind, takeCensus, type Census } from '../census.js'
import { needs, needsPrivileges, needsRealRoot } from '../tools.js'
import { create, nft, ruleset, run } from './nftables-world.js'
import { openSession } from './session.js'

const cannot = needsPrivileges() ?? needs('nft', 'ip')

const AT = 'host'
const WHERE = { at: AT, family: 'inet', table: 'mine' } as const
const table: FirewallTable = { kind: 'nft-table', at: AT, family: 'inet', name: 'mine', comment: 'ours' }
const PORTS: SetShape = { name: 'ports', key: ['inet_proto', 'inet_service'], data: ['ipv4_addr', 'inet_service'] }
const NETS: SetShape = { name: 'nets', key: ['ipv4_addr'], flags: ['interval'] }
const setOf = (shape: SetShape): FirewallSet => ({ kind: 'nft-set', ...WHERE, ...shape })
const port = (number: number, more: Partial<FirewallElement> = {}): FirewallElement => ({
  kind: 'nft-element',
  ...WHERE,
  set: PORTS,
  key: ['tcp', number],
  data: ['10.0.0.2', 80],
  comment: 'owner',
  ...more,
})
const net = (key: FirewallElement['key'][0], comment = 'owner'): FirewallElement => ({
  kind: 'nft-element',
  ...WHERE,
  set: NETS,
  key: [key],
  comment,
})
const chain = (rules: FirewallRule[], more: Partial<FirewallChain> = {}): FirewallChain => ({
  kind: 'nft-chain',
  ...WHERE,
  name: 'forward',
  rules,
  ...more,
})
const rule = (mark: number): FirewallRule => ({
  statements: [{ match: { left: { meta: 'mark' }, op: '==', right: mark } }, { counter: true }, { accept: true }],
  comment: `mark ${mark}`,
})
const base = { type: 'filter', hook: 'forward', priority: 0 } as const

const make = (...objects: KernelObject[]): Operation[] => objects.map((object) => ({ do: 'create', object }))
const refused = async (promise: Promise<unknown>): Promise<CnmError> => {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(CnmError)
  return error as CnmError
}

describe.skipIf(cannot)('firewall objects in transactions', () => {
  let kernel: Kernel
  let before: Census
  beforeAll(async () => {
    before = await takeCensus()
  })
  afterAll(async () => expect(await leftBehind(before)).toEqual([]))
  beforeEach(async () => {
    kernel = await Kernel.open()
  })
  afterEach(async () => {
    await kernel.close()
    run(AT, 'nft', 'flush', 'ruleset')
  })

  const listed = (): Promise<FirewallObject[]> => kernel.list(AT, ['nft-table', 'nft-set', 'nft-chain', 'nft-element'])

  it('are listed as they were made', async () => {
    const objects: FirewallObject[] = [
      table,
      setOf(PORTS),
      setOf(NETS),
      chain([rule(1), rule(2)], { base }),
      port(80),
      port(81, { comment: undefined }),
      net('10.0.0.0/8'),
      net({ range: ['192.0.2.1', '192.0.2.9'] }),
    ]
    await kernel.transaction(make(...objects))
    const found = await listed()
    expect(found).toHaveLength(objects.length)
    for (const object of objects) expect(found).toContainEqual(JSON.parse(JSON.stringify(object)))
  })

  it('are all made or none, and the error says which was refused and why', async () => {
    await kernel.transaction(make(table))
    const before = ruleset(AT)
    const error = await refused(
      kernel.transaction(
        make(setOf(PORTS), chain([rule(1)]), chain([{ statements: [{ jump: 'nowhere' }] }], { name: 'broken' }), port(80)),
      ),
    )
    expect(error).toMatchObject({
      code: 'ERR_CNM_KERNEL',
      errnoName: 'ENOENT',
      operation: 'nft add chain inet mine broken',
      operationIndex: 2,
    })
    expect(ruleset(AT)).toEqual(before)
  })

  it('name the element that is there already, and leave it as it is', async () => {
    await kernel.transaction(make(table, setOf(PORTS), port(80)))
    const before = ruleset(AT)
    const error = await refused(kernel.transaction(make(port(79), port(80, { data: ['10.0.0.9', 9] }), port(81))))
    expect(error).toMatchObject({ errnoName: 'EEXIST', operationIndex: 1 })
    expect(error.operation).toBe('nft add element inet mine ports { tcp . 80 comment "owner" : 10.0.0.9 . 9 }')
    expect(ruleset(AT)).toEqual(before)
  })

  it('carry the words of the kernel', async () => {
    const error = await refused(kernel.transaction(make(table, chain([], { base: { ...base, hook: 'input', type: 'route' } }))))
    expect(error.errnoName).toBe('EOPNOTSUPP')
    expect(error.code).toBe('ERR_CNM_NOT_SUPPORTED')
    expect(ruleset(AT)).toEqual([])
    const far = await refused(
      kernel.transaction(make(table, chain([], { name: 'late', base: { type: 'nat', hook: 'prerouting', priority: -250 } }))),
    )
    expect(far.kernelText ?? far.message).toMatch(/conntrack|not supported/i)
    expect(ruleset(AT)).toEqual([])
  })

  it('are taken back when something else in the transaction fails', async () => {
    const before = ruleset(AT)
    const link: KernelObject = { kind: 'sysctl', at: AT, path: 'net/ipv4/no_such_thing', value: '1' }
    await refused(kernel.transaction(make(table, setOf(PORTS), chain([rule(1)], { base }), port(80), link)))
    expect(ruleset(AT)).toEqual(before)
  })

  it('change: rules at once, elements in place, policy, hook', async () => {
    await kernel.transaction(make(table, setOf(PORTS), chain([rule(1), rule(2)], { base }), port(80)))
    await kernel.transaction([
      { do: 'change', from: chain([rule(1), rule(2)], { base }), to: chain([rule(2), rule(3)], { base: { ...base, policy: 'drop' } }) },
      { do: 'change', from: port(80), to: port(80, { data: ['10.0.0.3', 90], comment: 'other' }) },
    ])
    let found = await listed()
    expect(found).toContainEqual(chain([rule(2), rule(3)], { base: { ...base, policy: 'drop' } }))
    expect(found).toContainEqual(port(80, { data: ['10.0.0.3', 90], comment: 'other' }))
    const moved = { ...base, priority: 7 }
    await kernel.transaction([
      { do: 'change', from: chain([rule(2), rule(3)], { base: { ...base, policy: 'drop' } }), to: chain([rule(3)], { base: moved }) },
    ])
    found = await listed()
    expect(found.filter(({ kind }) => kind === 'nft-chain')).toEqual([chain([rule(3)], { base: moved })])
  })

  it("leave the rules of a chain alone that are somebody else's", async () => {
    const own = chain([], { rules: undefined })
    await kernel.transaction(make(table, own))
    nft(AT, 'add rule inet mine forward counter comment "user"')
    const before = ruleset(AT)
    await kernel.transaction([
      { do: 'change', from: own, to: own },
      { do: 'create', object: own, replace: true },
    ])
    expect(ruleset(AT)).toEqual(before)
  })

  it('refuse changes that the kernel cannot make', async () => {
    await kernel.transaction(make(table, setOf(PORTS)))
    const error = await refused(kernel.transaction([{ do: 'change', from: setOf(PORTS), to: setOf({ ...PORTS, key: ['inet_service'] }) }]))
    expect(error).toMatchObject({ code: 'ERR_CNM_NOT_SUPPORTED', field: 'key' })
    expect(await refused(kernel.transaction([{ do: 'change', from: table, to: { ...table, comment: 'new' } }]))).toMatchObject({
      code: 'ERR_CNM_NOT_SUPPORTED',
      field: 'comment',
    })
  })

  it('replace what is there, and put it back when the transaction fails', async () => {
    const first = [table, setOf(PORTS), setOf(NETS), chain([rule(1)], { base }), port(80), net('10.0.0.0/8', 'old')]
    await kernel.transaction(make(...first))
    const replace = (...objects: KernelObject[]): Operation[] => objects.map((object) => ({ do: 'create', object, replace: true }))
    const second = [
      table,
      setOf(PORTS),
      setOf(NETS),
      chain([rule(2)], { base: { ...base, priority: 5, policy: 'drop' } }),
      port(80, { data: ['10.0.0.7', 7] }),
      port(90),
      net('10.0.0.0/8', 'new'),
      net('11.0.0.0/8'),
    ]
    const before = ruleset(AT)
    await refused(
      kernel.transaction([...replace(...second), ...make({ kind: 'sysctl', at: AT, path: 'net/ipv4/no_such_thing', value: '1' })]),
    )
    expect(ruleset(AT)).toEqual(before)
    await kernel.transaction(replace(...second))
    const found = await listed()
    expect(found).toHaveLength(second.length)
    for (const object of second) expect(found).toContainEqual(object)
  })

  it('go, each or with their table; what is gone already may be ignored', async () => {
    await kernel.transaction(make(table, setOf(PORTS), setOf(NETS), chain([rule(1)]), port(80), net('10.0.0.0/8'), net('11.0.0.0/8')))
    await kernel.transaction([
      { do: 'delete', object: port(99), missing: 'ignore' },
      { do: 'delete', object: net('10.0.0.0/8') },
      { do: 'delete', object: chain([rule(1)]) },
      { do: 'delete', object: port(80) },
      { do: 'delete', object: setOf(PORTS) },
    ])
    expect(await listed()).toEqual([table, setOf(NETS), net('11.0.0.0/8')])
    expect(await refused(kernel.transaction([{ do: 'delete', object: net('10.0.0.0/8') }]))).toMatchObject({ errnoName: 'ENOENT' })
    await kernel.transaction([{ do: 'delete', object: table }])
    expect(ruleset(AT)).toEqual([])
  })

  // a batch is one send(2), and only the machine's root may have a send buffer of that size
  it.skipIf(needsRealRoot())('make ten thousand elements in one batch', async () => {
    const elements = Array.from({ length: 10_000 }, (_, i) => port(i + 1, { data: ['10.0.0.2', i + 1] }))
    await kernel.transaction(make(table, setOf(PORTS), ...elements))
    const found = await kernel.list(AT, ['nft-element'])
    expect(found).toHaveLength(elements.length)
    expect(found[9_999]).toEqual(elements[9_999])
  })
})

describe.skipIf(cannot)('the ruleset of others', () => {
  it('is not read when a table is named', () => {
    using open = openSession()
    const { session } = open
    create(session, [table, setOf(PORTS), port(80)])
    nft(
      AT,
      `table ip theirs {
      set hosts { type ipv4_addr; elements = { 10.0.0.1 } }
      chain input { type filter hook input priority 0; ip saddr @hosts counter; meta mark 5 accept; }
    }`,
    )
    try {
      const reading = openSession()
      const socket = reading.session.socket(AT, NETLINK_NETFILTER)
      const asked: string[] = []
      const dump = socket.dump.bind(socket)
      socket.dump = (type, body, parse) =>
        dump(type, body, (message) => (asked.push(Buffer.from(message.payload).toString('latin1')), parse(message)))
      // the tables themselves are told to everybody
      expect(readCounters(socket, AT, { family: 'inet', table: 'mine' })).toEqual({ rules: [], elements: [] })
      expect(asked.some((text) => text.includes('theirs') && text.includes('hosts'))).toBe(false)
      reading[Symbol.dispose]()
    } finally {
      run(AT, 'nft', 'flush', 'ruleset')
    }
  })

  it('is told in the vocabulary as far as that goes, and the rest as it came, so that it could be made again', () => {
    using open = openSession()
    const { session } = open
    const rules = [
      'ct label 5 drop',
      'ip saddr 10.0.0.1 meta mark 5 accept',
      'fib daddr type vmap { local : accept, 3 : drop }',
      'udp sport 53 udp dport 54',
      'ip option lsrr exists',
      'synproxy mss 5 wscale 3',
      'dup to 1.2.3.4',
    ]
    nft(AT, `table ip theirs { chain input { type filter hook input priority 0; ${rules.join('; ')}; }; }`)
    try {
      const [theirs] = firewallHandlers['nft-chain'].list!(AT, session, ['ip theirs'])
      const raw = (name: string): unknown => ({ name, data: expect.stringMatching(/^[0-9a-f]+$/) as string })
      expect(theirs!.rules!.slice(0, 4)).toEqual([
        { statements: [{ raw: [raw('ct'), raw('bitwise'), raw('cmp')] }, { drop: true }] },
        {
          statements: [
            { match: { left: { payload: 'ip saddr' }, op: '==', right: '10.0.0.1' } },
            { match: { left: { meta: 'mark' }, op: '==', right: 5 } },
            { accept: true },
          ],
        },
        {
          statements: [
            {
              vmap: {
                key: { fib: { keys: ['daddr'], result: 'type' } },
                map: [
                  ['local', { accept: true }],
                  ['broadcast', { drop: true }],
                ],
              },
            },
          ],
        },
        // nft compares neighbouring fields at once
        {
          statements: [
            { match: { left: { meta: 'l4proto' }, op: '==', right: 'udp' } },
            { match: { left: { payload: { base: 'th', offset: 0, length: 32 } }, op: '==', right: 0x350036 } },
          ],
        },
      ])
      create(session, [
        { kind: 'nft-table', at: AT, family: 'ip', name: 'copy' },
        { ...theirs!, table: 'copy' },
      ])
      const named = (name: string): string => JSON.stringify(ruleset(AT, 'table', 'ip', name)).replaceAll(`"${name}"`, '"x"')
      expect(named('copy')).toBe(named('theirs'))
    } finally {
      run(AT, 'nft', 'flush', 'ruleset')
    }
  })

  it('changes the generation, so that its reader begins again', () => {
    using open = openSession()
    const socket = open.session.socket(AT, NETLINK_NETFILTER)
    const before = generation(socket)
    create(open.session, [table])
    expect(generation(socket)).toBe(before + 1)
    run(AT, 'nft', 'flush', 'ruleset')
    expect(generation(socket)).toBe(before + 2)
  })
})
