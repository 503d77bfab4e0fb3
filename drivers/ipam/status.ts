import type { PoolStatus } from '../../src/contracts/ipam-driver.js'
import type { LoadedPool } from './pool.js'
import { formatPrefix, sizeOf } from './prefix.js'

const MOST = 2n ** 64n - 1n

/** Counts of a pool whose addresses have been read. */
export function statusOf({ prefix, subnet, ranges }: LoadedPool): PoolStatus {
  const free = ranges.reduce((sum, range) => sum + (range.last - range.first + 1n) - subnet.takenBetween(range), 0n)
  const kept = subnet.keptCount
  return {
    subnet: formatPrefix(prefix),
    size: saturated(sizeOf(prefix)),
    used: saturated(subnet.takenCount - kept),
    free: saturated(free),
    reserved: saturated(kept),
  }
}

const saturated = (count: bigint): string => String(count > MOST ? MOST : count)
