import { describe, expect, it } from 'vitest'
import type { Place, PolicyRuleObject } from '../../src/contracts/kernel-objects.js'
import { rulesOf, sorted } from './rtnetlink-iproute2.js'
import { World } from './rtnetlink-world.js'

type Fields = Partial<PolicyRuleObject>

const rule = (at: Place, fields: Fields): PolicyRuleObject => ({ kind: 'policy-rule', at, family: 4, priority: 100, ...fields })
const ours = (world: World, at: Place): PolicyRuleObject[] => rulesOf(world, at).filter(({ priority }) => priority > 0 && priority < 32_766)

const CASES: [Fields, string][] = [
  [{ table: 1000 }, 'priority 100 table 1000'],
  [{}, 'priority 100 table main'],
  [{ from: '10.0.0.0/8', to: '192.0.2.1/32', table: 5 }, 'priority 100 from 10.0.0.0/8 to 192.0.2.1 table 5'],
  [{ iif: 'in0', oif: 'out0', table: 5 }, 'priority 100 iif in0 oif out0 table 5'],
  [{ mark: 5, table: 5 }, 'priority 100 fwmark 5 table 5'],
  [{ mark: 0x80000000, markMask: 0xf0000000, invert: true, table: 100_000 }, 'not priority 100 fwmark 0x80000000/0xf0000000 table 100000'],
  [{ action: 'blackhole' }, 'priority 100 blackhole'],
  [{ action: 'unreachable', from: '10.0.0.0/8' }, 'priority 100 from 10.0.0.0/8 unreachable'],
  [{ action: 'prohibit', to: '10.0.0.0/8' }, 'priority 100 to 10.0.0.0/8 prohibit'],
  [{ suppressPrefixLength: 0 }, 'priority 100 table main suppress_prefixlength 0'],
  [{ family: 6, from: 'fd00::/8', table: 5 }, '-6 priority 100 from fd00::/8 table 5'],
  [{ family: 6, to: '2001:db8::1/128', mark: 1, markMask: 1, table: 1000 }, '-6 priority 100 to 2001:db8::1 fwmark 1/1 table 1000'],
]

describe.each(CASES)('%j', (fields, command) => {
  it('made by us is what ip(8) sees and what we read', () => {
    using world = new World()
    const at = world.place()
    const wanted = rule(at, fields)
    world.create(wanted)
    expect(ours(world, at)).toEqual([wanted])
    expect(world.list('policy-rule', at)).toEqual(rulesOf(world, at))
    expect(() => world.create(wanted)).toThrowError(expect.objectContaining({ errno: 17 }))
    world.create(wanted, true)
    expect(ours(world, at)).toEqual([wanted])
    world.remove(wanted)
    expect(ours(world, at)).toEqual([])
    expect(() => world.remove(wanted)).toThrowError(expect.objectContaining({ errno: 3 }))
    world.create(wanted, true)
    expect(ours(world, at)).toEqual([wanted])
  })

  it('made by ip(8) is read as ip(8) reads it, and removed', () => {
    using world = new World()
    const at = world.place()
    const [family, words] = command.startsWith('-6 ') ? ['-6', command.slice(3)] : ['-4', command]
    const invert = words.startsWith('not ') ? ['not'] : []
    world.ip(at, family, 'rule', 'add', ...invert, ...words.replace(/^not /, '').split(' '))
    const read = world.list('policy-rule', at)
    expect(read).toEqual(rulesOf(world, at))
    world.remove(read.find(({ priority }) => priority === 100)!)
    expect(ours(world, at)).toEqual([])
  })
})

describe('rules', () => {
  it('are removed exactly, among others of the same priority that say more or less', () => {
    const all: Fields[] = [
      { from: '10.0.0.0/8', table: 5 },
      { from: '10.0.0.0/8', to: '192.0.2.0/24', table: 5 },
      { table: 5 },
      { table: 5, iif: 'in0' },
      { table: 5, mark: 1 },
      { action: 'blackhole' },
      { table: 5, invert: true, from: '10.0.0.0/8' },
    ]
    for (const removed of all) {
      using world = new World()
      const at = world.place()
      for (const fields of all) world.create(rule(at, fields))
      world.remove(rule(at, removed))
      const left = ours(world, at)
      expect(left).toHaveLength(all.length - 1)
      for (const fields of all)
        expect(left.some((each) => JSON.stringify(each) === JSON.stringify(rule(at, fields)) || same(each, rule(at, fields)))).toBe(
          fields !== removed,
        )
    }
  })

  it('change', () => {
    using world = new World()
    const at = world.place()
    world.create(rule(at, { table: 5 }))
    world.change(rule(at, { table: 5 }), rule(at, { table: 6, mark: 3 }))
    expect(ours(world, at)).toEqual([rule(at, { table: 6, mark: 3 })])
    expect(
      world.messages(() =>
        world.handler('policy-rule').change(rule(at, { table: 6, mark: 3 }), rule(at, { mark: 3, table: 6 }), world.session),
      ),
    ).toBe(0)
  })

  it('of others that we have no words for are neither listed nor taken for ours', () => {
    using world = new World()
    const at = world.place()
    world.ip(at, 'rule', 'add', 'priority', '100', 'ipproto', 'tcp', 'dport', '80', 'table', '5')
    world.ip(at, 'rule', 'add', 'priority', '100', 'uidrange', '5-6', 'table', '5')
    expect(world.list('policy-rule', at).some(({ priority }) => priority === 100)).toBe(false)
    expect(() => world.remove(rule(at, { table: 5 }))).toThrowError(expect.objectContaining({ errno: 3 }))
    expect(ours(world, at)).toHaveLength(2)
    const foreign = world.show('ip', at, 'rule').filter(({ priority }) => priority === 100)
    world.create(rule(at, { table: 5 }))
    world.remove(rule(at, { table: 5 }))
    expect(sorted(world.show('ip', at, 'rule').filter(({ priority }) => priority === 100))).toEqual(sorted(foreign))
  })

  it.each([
    ['family', { family: 5 }],
    ['priority', { priority: undefined }],
    ['from', { from: 'fd00::/8' }],
    ['from', { from: '10.0.0.1/8' }],
    ['action', { action: 'goto' }],
    ['table', { action: 'blackhole', table: 5 }],
    ['mark', { mark: 2 ** 32 }],
    ['iif', { iif: 'a name too long for a link' }],
    ['tos', { tos: 4 }],
  ])('with a bad %s are refused: %j', (field, fields) => {
    using world = new World()
    const at = world.place()
    expect(() => world.create({ ...rule(at, {}), ...fields } as PolicyRuleObject)).toThrowError(
      expect.objectContaining({ code: expect.stringMatching(/^ERR_CNM_(INVALID_ARGUMENT|UNKNOWN_OPTION)$/), field }),
    )
    expect(ours(world, at)).toEqual([])
  })
})

function same(a: PolicyRuleObject, b: PolicyRuleObject): boolean {
  const text = (value: object): string => JSON.stringify(Object.entries(value).sort(([x], [y]) => (x < y ? -1 : 1)))
  return text(a) === text(b)
}
