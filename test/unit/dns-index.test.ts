import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { DnsEndpoint } from '../../drivers/dns/contract.js'
import { AnswerCache } from '../../drivers/dns/forward/cache.js'
import type { ForwardedAnswer } from '../../drivers/dns/forward/answer.js'
import { byHealth, Health } from '../../drivers/dns/forward/health.js'
import { KnownState } from '../../drivers/dns/known-state.js'
import { NetworkIndex } from '../../drivers/dns/local/network-index.js'
import { toText } from '../../drivers/dns/wire/names.js'
import { Timer, Timers } from '../../src/kernel/loop/timers.js'

/** Everything a network index knows, as text. */
function dump(index: NetworkIndex): unknown {
  const addresses = (records: Uint8Array): string[] =>
    Array.from({ length: records.length / 16 }, (_, i) => records.subarray(i * 16 + 12, i * 16 + 16).join('.'))
  const names = [...index.names].map(([key, entry]) => [
    toText(key),
    addresses(entry.a).sort(),
    entry.aaaa.length / 28,
    entry.endpoints.length,
  ])
  const reverse = [...index.reverse].map(([key, owners]) => [toText(key), owners.map((one) => one.names.map(toText).join()).sort()])
  return { names: names.sort(), reverse: reverse.sort(), size: index.size }
}

const endpoint: fc.Arbitrary<DnsEndpoint> = fc.record({
  id: fc.constantFrom('1', '2', '3', '4', '5'),
  names: fc.array(fc.constantFrom('a', 'B', 'b', 'web', 'x.y'), { minLength: 1, maxLength: 4 }),
  addresses: fc.array(fc.constantFrom('10.0.0.1', '10.0.0.2/24', '10.0.0.3', 'fd00::1', 'fd00::2/64'), { maxLength: 3 }),
})

describe('the index of a network', () => {
  it('after any changes is what a new one of the same endpoints would be', () => {
    const change = fc.record({
      put: fc.array(endpoint, { maxLength: 3 }),
      remove: fc.array(fc.constantFrom('1', '2', '3', '9'), { maxLength: 2 }),
    })
    fc.assert(
      fc.property(fc.array(endpoint, { maxLength: 5 }), fc.array(change, { maxLength: 8 }), (first, changes) => {
        const known = new KnownState()
        const index = new NetworkIndex()
        const network = { id: 'n', name: 'front', endpoints: first }
        index.load(network)
        known.apply({ do: 'put-network', network })
        for (const { put, remove } of changes) {
          index.change(put, remove)
          known.apply({ do: 'change-network', change: { id: 'n', put, remove } })
        }
        const fresh = new NetworkIndex()
        for (const message of known.messages()) if (message.do === 'put-network') fresh.load(message.network)
        expect(dump(index)).toEqual(dump(fresh))
      }),
    )
  })

  it('shares the records of an endpoint among its names', () => {
    const index = new NetworkIndex()
    index.load({ id: 'n', name: 'front', endpoints: [{ id: '1', names: ['a', 'b', 'c'], addresses: ['10.0.0.1'] }] })
    expect(new Set([...index.names.values()].map((entry) => entry.a)).size).toBe(1)
  })

  it('takes 10,000 endpoints under one name', () => {
    const index = new NetworkIndex()
    const endpoints = [...Array(10_000).keys()].map((i) => ({
      id: `${i}`,
      names: ['all', `one${i}`],
      addresses: [`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`],
    }))
    index.load({ id: 'n', name: 'front', endpoints })
    const started = performance.now()
    index.change([{ ...endpoints[5]!, addresses: ['10.9.9.9'] }], ['7'])
    expect(performance.now() - started).toBeLessThan(200)
    expect(index.names.get('\x03all')!.a.length).toBe(9_999 * 16)
  })
})

describe('the cache', () => {
  const answer = (more: Partial<ForwardedAnswer> = {}): ForwardedAnswer => ({
    message: Buffer.alloc(100),
    questionEnd: 30,
    ttls: [42],
    answers: 1,
    code: 0,
    truncated: false,
    ttl: 60,
    denial: false,
    receivedAt: 0,
    ...more,
  })

  it('keeps to its bounds, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 12, max: 4000 })), { maxLength: 200 }), (puts) => {
        const cache = new AnswerCache(80_000, 100, 10)
        let expected = 0
        for (const [key, length] of puts) {
          cache.put(`key${key}`, answer({ message: Buffer.alloc(length) }))
          expected = Math.max(expected, cache.bytes)
        }
        expect(expected).toBeLessThanOrEqual(80_000)
        for (let key = 0; key <= 50; key++) cache.get(`key${key}`, 1e9)
        expect([cache.bytes, cache.size]).toEqual([0, 0])
      }),
    )
  })

  it('drops what was not used for longest', () => {
    const cache = new AnswerCache(40_000, 100, 10)
    for (let i = 0; i < 25; i++) cache.put(`key${i}`, answer())
    expect(cache.get('key0', 1)).toBeDefined()
    for (let i = 25; i < 45; i++) cache.put(`key${i}`, answer())
    expect(cache.get('key0', 1)).toBeDefined()
    expect(cache.get('key1', 1)).toBeUndefined()
  })

  it('honours TTLs and their limits, and keeps nothing that must not be kept', () => {
    const cache = new AnswerCache(1 << 20, 100, 10)
    cache.put('long', answer({ ttl: 10_000 }))
    cache.put('no', answer({ ttl: 50, denial: true, code: 3 }))
    for (const [key, more] of Object.entries({ zero: { ttl: 0 }, cut: { truncated: true }, failed: { code: 2 } }))
      cache.put(key, answer(more))
    expect(cache.size).toBe(2)
    expect([cache.get('long', 99_999), cache.get('long', 100_000)].map(Boolean)).toEqual([true, false])
    expect([cache.get('no', 9_999), cache.get('no', 10_000)].map(Boolean)).toEqual([true, false])
  })
})

describe('the health of servers', () => {
  const server = (...times: number[]): { health: Health } => {
    const health = new Health()
    for (const time of times) health.answered(time)
    return { health }
  }

  it('waits at most as long as told, and about as long as the server takes', () => {
    expect(new Health().hedge(200)).toBe(100)
    expect(new Health().hedge(50)).toBe(50)
    expect(server(1, 1, 1, 1).health.hedge(200)).toBe(20)
    expect(server(...Array<number>(20).fill(60)).health.hedge(200)).toBeCloseTo(60, -1)
    expect(server(900, 900).health.hedge(200)).toBe(200)
  })

  it('keeps the configured order, but asks the silent last and the much slower later', () => {
    const [first, second, third] = [server(40), server(5), server(400)]
    expect(byHealth([first, second, third])).toEqual([first, second, third])
    expect(byHealth([third, first, second])).toEqual([first, second, third])
    for (let i = 0; i < 3; i++) first.health.missed(1000)
    expect(byHealth([first, second, third])).toEqual([second, third, first])
    first.health.answered(40)
    expect(byHealth([first, second, third])).toEqual([first, second, third])
  })

  it('tries a suspect more and more rarely', () => {
    const { health } = server()
    for (let i = 0; i < 3; i++) health.missed(0)
    const tries: number[] = []
    for (let now = 0; now < 200_000; now += 100) if (health.probe(now)) tries.push(now)
    expect(tries.slice(0, 5)).toEqual([1000, 3000, 7000, 15_000, 31_000])
    expect(tries[6]! - tries[5]!).toBe(30_000)
  })
})

describe('timers', () => {
  it('fire in time, once, in any order of arming, and never when cancelled', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 30_000 }), fc.boolean()), { maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 9000 }), { maxLength: 40 }),
        (wanted, steps) => {
          let now = 1000
          const timers = new Timers(now, (error) => {
            throw error
          })
          const fired = new Map<number, number>()
          wanted.forEach(([after, cancelled], i) => {
            const timer = new Timer(() => fired.set(i, now))
            timers.arm(timer, 1000 + after)
            if (cancelled) timers.cancel(timer)
          })
          for (const step of [...steps, 40_000]) {
            const before = now
            const wait = timers.wait(now)
            now += step
            timers.advance(now)
            // Whoever sleeps as long as it is told misses nothing.
            for (const [i, at] of fired) if (at === now && wait >= 0) expect(1000 + wanted[i]![0]).toBeGreaterThanOrEqual(before - 4)
            wanted.forEach(([after, cancelled], i) => {
              if (cancelled) expect(fired.has(i)).toBe(false)
              else if (fired.has(i)) expect(fired.get(i)!).toBeGreaterThanOrEqual(1000 + after)
              else expect(1000 + after).toBeGreaterThan(now - 8)
            })
          }
          expect(timers.armed).toBe(0)
          expect(timers.wait(now)).toBe(-1)
        },
      ),
    )
  })

  it('may arm and cancel each other, and an error of one does not stop the rest', () => {
    const errors: unknown[] = []
    const timers = new Timers(0, (error) => errors.push(error))
    const log: string[] = []
    const victim = new Timer(() => log.push('victim'))
    const again: Timer = new Timer(() => {
      log.push('again')
      if (log.filter((one) => one === 'again').length < 3) timers.arm(again, 0)
    })
    timers.arm(new Timer(() => timers.cancel(victim)), 8)
    timers.arm(
      new Timer(() => {
        throw new Error('on purpose')
      }),
      8,
    )
    timers.arm(victim, 8)
    timers.arm(again, 8)
    for (let now = 0; now < 100; now += 4) timers.advance(now)
    expect(log).toEqual(['again', 'again', 'again'])
    expect(errors).toHaveLength(1)
    expect(timers.armed).toBe(0)
  })
})
