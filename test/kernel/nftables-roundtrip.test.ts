import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { FirewallObject } from '../../src/contracts/firewall.js'
import { firewallHandlers, normalRule } from '../../src/kernel/nftables/index.js'
import { needs, needsPrivileges } from '../tools.js'
import { ruleWith } from './nftables-arbitraries.js'
import { create, remove, run } from './nftables-world.js'
import { openSession, type OpenSession } from './session.js'

const cannot = needsPrivileges() ?? needs('nft')
const where = { at: 'host', family: 'inet', table: 'random' } as const
const table: FirewallObject = { kind: 'nft-table', at: 'host', family: 'inet', name: 'random' }

let open: OpenSession
beforeAll(() => {
  if (cannot === undefined) open = openSession()
})
afterAll(() => open?.[Symbol.dispose]())

describe.skipIf(cannot)('rules at random', () => {
  it('are listed in their normal form', () => {
    let written = 0
    fc.assert(
      fc.property(fc.array(ruleWith(false), { minLength: 1, maxLength: 40 }), (rules) => {
        const normal = rules.map((each) => normalRule(each, 'inet'))
        create(open.session, [
          table,
          { kind: 'nft-chain', ...where, name: 'other', rules: [] },
          { kind: 'nft-chain', ...where, name: 'rules', rules },
        ])
        try {
          const listed = firewallHandlers['nft-chain'].list!('host', open.session, ['inet random']).find(({ name }) => name === 'rules')
          expect(listed?.rules).toEqual(normal)
          written += rules.length
        } finally {
          remove(open.session, [table])
        }
      }),
      { numRuns: 40 },
    )
    expect(written).toBeGreaterThan(200)
    expect(run('host', 'nft', 'list', 'ruleset')).toBe('')
  })
})
