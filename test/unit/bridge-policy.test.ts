import { describe, expect, it } from 'vitest'
import { parsePolicy, selects } from '../../drivers/bridge/policy/parse-policy.js'

const ANY = { any: true }

describe('a policy', () => {
  it.each([
    [
      'allow from tier=web to tcp/5432',
      { from: { labels: { tier: 'web' } }, to: ANY, ports: [{ protocol: 'tcp', first: 5432, last: 5432 }] },
    ],
    [
      'allow from tier=web,env=prod to db tcp/80 udp/53-54 icmp',
      {
        from: { labels: { tier: 'web', env: 'prod' } },
        to: { name: 'db' },
        ports: [{ protocol: 'tcp', first: 80, last: 80 }, { protocol: 'udp', first: 53, last: 54 }, { protocol: 'icmp' }],
      },
    ],
    ['allow from admin', { from: { name: 'admin' }, to: ANY, ports: [] }],
    ['allow to metrics tcp', { from: ANY, to: { name: 'metrics' }, ports: [{ protocol: 'tcp' }] }],
    ['allow from any to any', { from: ANY, to: ANY, ports: [] }],
    ['allow from tier= to a=b=c', { from: { labels: { tier: '' } }, to: { labels: { a: 'b=c' } }, ports: [] }],
  ])('%s', (text, allowance) => {
    expect(parsePolicy(text)).toEqual([allowance])
  })

  it('has statements by line or semicolon, and may have none', () => {
    expect(parsePolicy(' allow from a;\n\n allow from b\n')).toHaveLength(2)
    expect(parsePolicy('')).toEqual([])
  })

  it.each([
    ['deny from a', 'begins with allow'],
    ['allow', 'from whom, or to whom?'],
    ['allow from', 'from whom?'],
    ['allow from to b', 'from whom?'],
    ['allow a', 'expected from or to'],
    ['allow from a b', 'one word too many'],
    ['allow to b from a', 'from comes before to'],
    ['allow to tcp/0', 'ports go from 1'],
    ['allow to tcp/9-8', 'ports go from 1'],
    ['allow to icmp/8', 'ICMP has no ports'],
    ['allow to foo/8', 'expected one of'],
    ['allow from =x', 'not label=value'],
    ['allow from a to b c', 'one word too many'],
  ])('is refused: %s', (text, why) => {
    expect(() => parsePolicy(text)).toThrow(why)
  })

  it('selects by name, or by all labels', () => {
    const web = { name: 'web', labels: { tier: 'front', env: 'prod' } }
    expect(selects({ any: true }, web)).toBe(true)
    expect(selects({ name: 'web' }, web)).toBe(true)
    expect(selects({ name: 'we' }, web)).toBe(false)
    expect(selects({ labels: { tier: 'front', env: 'prod' } }, web)).toBe(true)
    expect(selects({ labels: { tier: 'front', env: 'test' } }, web)).toBe(false)
  })
})
