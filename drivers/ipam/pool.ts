import type { Prefix, Range } from './prefix.js'
import type { PoolOptions } from './pool-options.js'
import type { Subnet } from './subnet.js'

/** A pool as the driver holds it: one network's claim on a subnet. */
export interface LoadedPool {
  readonly id: string
  readonly space: string
  readonly owner: string
  readonly prefix: Prefix
  readonly subnet: Subnet
  /** Where dynamic addresses come from. */
  readonly ranges: readonly Range[]
  readonly options: PoolOptions
  /** Of its record: allocations are conditional on it. */
  version: number
  /** The dynamic address that was given last. */
  last: bigint | undefined
}
