import { CnmError } from '../../src/contracts/errors.js'
import type { Base } from './default-pools.js'
import { type Family, formatAddress, formatPrefix, lastOf, type Prefix, type Range } from './prefix.js'
import type { Space } from './space.js'

/** How many obstacles an error names for each source of subnets. */
const NAMED = 10

/**
 * The first subnet of the sources, in their order, that overlaps no pool of the space and no excluded prefix.
 * @param length prefix length asked for; default: that of each source
 * @throws CnmError ERR_CNM_POOLS_EXHAUSTED, with what is in the way in each source
 */
export function chooseSubnet(space: Space, family: Family, bases: readonly Base[], exclude: readonly Range[], length?: number): Prefix {
  const candidates = bases.filter(({ prefix }) => prefix.family === family)
  for (const { prefix, size } of candidates) {
    const found = firstFree(space, prefix, length ?? size, exclude)
    if (found !== undefined) return found
  }
  const obstacles = candidates.map((base) => describeObstacles(space, base, exclude, length))
  const what = length === undefined ? `IPv${family} subnet` : `IPv${family} subnet of prefix length ${length}`
  throw new CnmError(
    'ERR_CNM_POOLS_EXHAUSTED',
    `no ${what} is free. ${obstacles.join('; ') || `No source of IPv${family} subnets is configured`}.`,
    {
      field: 'subnet',
    },
  )
}

function firstFree(space: Space, within: Prefix, length: number, exclude: readonly Range[]): Prefix | undefined {
  const tree = space.tree(within.family)
  for (let from = within.start; ;) {
    const found = tree.findFree(within, length, from)
    if (found === undefined) return undefined
    const obstacle = overlapping(exclude, { first: found.start, last: lastOf(found) })
    if (obstacle === undefined) return found
    from = obstacle.last + 1n
  }
}

/** The last of the ranges, which are sorted and apart from each other, that has addresses in common with another. */
function overlapping(ranges: readonly Range[], { first, last }: Range): Range | undefined {
  let [low, high] = [0, ranges.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (ranges[middle]!.first <= last) low = middle + 1
    else high = middle
  }
  const candidate = ranges[low - 1]
  return candidate !== undefined && candidate.last >= first ? candidate : undefined
}

function describeObstacles(space: Space, { prefix, size }: Base, exclude: readonly Range[], length = size): string {
  const text = formatPrefix(prefix)
  if (length < prefix.length) return `${text} is smaller than that`
  const pools = [...space.overlapping(prefix)].map((pool) => `${formatPrefix(pool.prefix)} (${pool.owner})`)
  const excluded = exclude
    .filter(({ first, last }) => first <= lastOf(prefix) && last >= prefix.start)
    .map(({ first, last }) => `${formatAddress(prefix.family, first)}-${formatAddress(prefix.family, last)}`)
  const parts = [`in ${text}`]
  if (pools.length > 0) parts.push(`taken by pools: ${some(pools)}`)
  if (excluded.length > 0) parts.push(`excluded because the host uses them: ${some(excluded)}`)
  return parts.join(' ')
}

const some = (items: readonly string[]): string =>
  items.slice(0, NAMED).join(', ') + (items.length > NAMED ? ` and ${items.length - NAMED} more` : '')
