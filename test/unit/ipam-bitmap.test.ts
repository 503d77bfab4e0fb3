import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AddressSet } from '../../drivers/ipam/address-set.js'

/** Sizes around the limits of words, pages and pages of pages. */
const sizes = fc.constantFrom(
  1n,
  2n,
  31n,
  32n,
  33n,
  255n,
  256n,
  65_535n,
  65_536n,
  65_537n,
  200_000n,
  2n ** 24n,
  2n ** 32n,
  2n ** 64n,
  2n ** 96n,
)

/** Offsets that meet: near the beginning, near page limits, near the end. */
const offsetsIn = (size: bigint): fc.Arbitrary<bigint> => {
  const near = (middle: bigint) => fc.integer({ min: -40, max: 40 }).map((distance) => middle + BigInt(distance))
  return fc
    .oneof(near(0n), near(65_536n), near(131_072n), near(size), near(size / 2n))
    .map((offset) => (offset < 0n ? -offset : offset) % size)
}

interface Step {
  do: 'add' | 'delete' | 'run'
  offset: bigint
}

const cases = sizes.chain((size) =>
  fc.record({
    size: fc.constant(size),
    steps: fc.array(fc.record<Step>({ do: fc.constantFrom('add', 'add', 'delete', 'run'), offset: offsetsIn(size) }), { maxLength: 60 }),
    probes: fc.array(offsetsIn(size), { minLength: 2, maxLength: 10 }),
  }),
)

function naiveNextFree(taken: ReadonlySet<bigint>, size: bigint, from: bigint): bigint | undefined {
  let offset = from
  while (taken.has(offset)) offset++
  return offset < size ? offset : undefined
}

describe('the set of addresses', () => {
  it('equals a naive set', () => {
    fc.assert(
      fc.property(cases, ({ size, steps, probes }) => {
        const set = new AddressSet(size)
        const naive = new Set<bigint>()
        for (const step of steps) {
          const end = step.do === 'run' ? step.offset + 100n : step.offset
          for (let offset = step.offset; offset <= end && offset < size; offset++) {
            if (step.do === 'delete') expect(set.delete(offset)).toBe(naive.delete(offset))
            else expect(set.add(offset)).toBe(!naive.has(offset))
            if (step.do !== 'delete') naive.add(offset)
          }
        }
        expect(set.count).toBe(naive.size)
        for (const probe of probes) {
          expect(set.has(probe)).toBe(naive.has(probe))
          expect(set.nextFree(probe)).toBe(naiveNextFree(naive, size, probe))
        }
        const [first, last] = [probes[0]!, probes[1]!].sort((left, right) => (left < right ? -1 : 1)) as [bigint, bigint]
        expect(set.countBetween(first, last)).toBe(BigInt([...naive].filter((offset) => offset >= first && offset <= last).length))
      }),
      { numRuns: 400 },
    )
  })

  it.each([65_536n, 65_537n, 300_000n])('fills %s completely in order, empties and fills again', (size) => {
    const set = new AddressSet(size)
    for (let round = 0; round < 2; round++) {
      for (let offset = 0n; offset < size; offset++) {
        if (set.nextFree(0n) !== offset) throw new Error(`round ${round}: next free is ${String(set.nextFree(0n))}, not ${offset}`)
        set.add(offset)
      }
      expect(set.nextFree(0n)).toBeUndefined()
      expect(set.countBetween(0n, size - 1n)).toBe(size)
      expect(set.countBetween(1n, size - 2n)).toBe(size - 2n)
      const hole = size - 7n
      expect(set.delete(hole)).toBe(true)
      expect(set.nextFree(3n)).toBe(hole)
      expect(set.countBetween(hole, size - 1n)).toBe(6n)
      set.add(hole)
      for (let offset = 0n; offset < size; offset++) set.delete(offset)
      expect(set.count).toBe(0)
      expect(set.nextFree(size - 1n)).toBe(size - 1n)
    }
  })

  it('passes a full region of many pages in one step', () => {
    const set = new AddressSet(2n ** 24n)
    for (let offset = 0n; offset < 2n ** 20n; offset++) set.add(offset)
    expect(set.nextFree(5n)).toBe(2n ** 20n)
    expect(set.countBetween(10n, 2n ** 20n + 10n)).toBe(2n ** 20n - 10n)
  })
})
