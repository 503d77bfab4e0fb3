import { parsePrefix, type Family, formatPrefix, overlaps, type Prefix, refused } from './prefix.js'

/** Where subnets are taken from when none is given: blocks of prefix length `size` inside of `base`. */
export interface PoolSource {
  base: string
  size: number
}

export interface Base {
  readonly prefix: Prefix
  readonly size: number
}

/**
 * 4,096 networks of 254 hosts. They begin with 172.16.0.0/16, which Docker never takes by itself; Docker's own
 * subnets, in the rest of 172.16.0.0/12, are on-link routes of the host and skipped.
 */
export const LOCAL_POOLS: readonly PoolSource[] = [{ base: '172.16.0.0/12', size: 24 }]

/** 32,768 networks of 254 hosts for clusters, away from 10.0.0.0/16, where Docker's swarm begins. */
export const GLOBAL_POOLS: readonly PoolSource[] = [{ base: '10.128.0.0/9', size: 24 }]

/**
 * Checks a list of sources. Of two that overlap, the one with the longer prefix is dropped: all of it is in the other.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT
 */
export function parseSources(sources: readonly PoolSource[], field: string): Base[] {
  if (!Array.isArray(sources)) throw refused(field, 'expected a list of { base, size }')
  const bases = (sources as readonly PoolSource[]).map((source, index) => parseSource(source, `${field}[${index}]`))
  return bases.filter(({ prefix }, index) => {
    return !bases.some(
      (other, at) =>
        overlaps(prefix, other.prefix) && (other.prefix.length < prefix.length || (other.prefix.length === prefix.length && at < index)),
    )
  })
}

function parseSource(source: PoolSource, field: string): Base {
  if (typeof source !== 'object' || source === null || typeof source.base !== 'string') throw refused(field, 'expected { base, size }')
  const family: Family = source.base.includes(':') ? 6 : 4
  const prefix = parsePrefix(source.base, family, `${field}.base`)
  const longest = family === 4 ? 32 : 128
  if (!Number.isInteger(source.size) || source.size < prefix.length || source.size > longest) {
    throw refused(
      `${field}.size`,
      `${source.size} is not a prefix length from ${prefix.length} to ${longest}, inside of ${formatPrefix(prefix)}`,
    )
  }
  return { prefix, size: source.size }
}
