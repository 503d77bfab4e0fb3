import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPrefix, lastOf, overlaps, type Prefix, sizeOf } from '../../drivers/ipam/prefix.js'
import { PrefixTree } from '../../drivers/ipam/prefix-tree.js'

/** Prefixes of a /20, so that many meet, in either family. */
const within: Record<4 | 6, Prefix> = {
  4: { family: 4, start: 0x0a000000n, length: 20 },
  6: { family: 6, start: 0xfd00n << 112n, length: 116 },
}
const prefixOf = (family: 4 | 6): fc.Arbitrary<Prefix> =>
  fc.record({ extra: fc.integer({ min: 0, max: 12 }), at: fc.bigInt({ min: 0n, max: 4095n }) }).map(({ extra, at }) => {
    const length = within[family].length + extra
    const size = sizeOf({ family, length })
    return { family, length, start: within[family].start + (at / size) * size }
  })

const cases = fc.constantFrom<(4 | 6)[]>(4, 6).chain((family) =>
  fc.record({
    family: fc.constant(family),
    prefixes: fc.array(prefixOf(family), { maxLength: 40 }),
    remove: fc.array(fc.nat(), { maxLength: 10 }),
    probe: prefixOf(family),
  }),
)

describe('the tree of prefixes', () => {
  it('finds overlaps and free blocks like a naive list', () => {
    fc.assert(
      fc.property(cases, ({ family, prefixes, remove, probe }) => {
        const tree = new PrefixTree<string>(family)
        let list: Prefix[] = []
        for (const prefix of prefixes) {
          const obstacles = [...tree.overlapping(prefix)].map(({ value }) => value)
          expect(obstacles.sort()).toEqual(
            list
              .filter((other) => overlaps(prefix, other))
              .map(formatPrefix)
              .sort(),
          )
          if (obstacles.length > 0) continue
          tree.add(prefix, formatPrefix(prefix))
          list.push(prefix)
        }
        for (const index of remove) {
          const gone = list[index % Math.max(1, list.length)]
          if (gone === undefined) continue
          expect(tree.get(gone)).toBe(formatPrefix(gone))
          tree.delete(gone)
          list = list.filter((other) => other !== gone)
        }
        expect([...tree].map(({ value }) => value)).toEqual(
          [...list].sort((left, right) => (left.start < right.start ? -1 : 1)).map(formatPrefix),
        )
        for (const length of [within[family].length, probe.length, within[family].length + 12]) {
          expect(tree.findFree(within[family], length, probe.start)).toEqual(naiveFree(list, within[family], length, probe.start))
          expect(tree.findFree(probe, length)).toEqual(naiveFree(list, probe, length, probe.start))
        }
      }),
      { numRuns: 500 },
    )
  })

  it('overlap is commutative, and what two addresses say', () => {
    fc.assert(
      fc.property(prefixOf(4), prefixOf(4), (left, right) => {
        expect(overlaps(left, right)).toBe(overlaps(right, left))
        const shared = left.start <= right.start ? lastOf(left) >= right.start : lastOf(right) >= left.start
        expect(overlaps(left, right)).toBe(shared)
      }),
    )
  })
})

function naiveFree(list: readonly Prefix[], block: Prefix, length: number, from: bigint): Prefix | undefined {
  const { family } = block
  const step = sizeOf({ family, length })
  for (let start = block.start; length >= block.length && start <= lastOf(block); start += step) {
    const candidate = { family, start, length }
    if (start >= from && !list.some((other) => overlaps(candidate, other))) return candidate
  }
  return undefined
}
