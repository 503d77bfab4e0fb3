import type { Prefix, Range } from './prefix.js'
import type { PoolOptions } from './pool-options.js'
import type { Subnet } from './subnet.js'

/** A subnet and the pools that claim it, or parts of it. */
export interface ClaimedSubnet {
  readonly subnet: Subnet
  readonly pools: Map<string, LoadedPool>
  /** Settled once the addresses have been read. */
  loaded: Promise<void> | undefined
  /** Under way now. */
  reading: Promise<void> | undefined
}

/** A pool as the driver holds it: one network's claim on a subnet. */
export interface LoadedPool {
  readonly id: string
  readonly space: string
  readonly owner: string
  readonly prefix: Prefix
  readonly claimed: ClaimedSubnet
  readonly subnet: Subnet
  /** Where dynamic addresses come from. */
  readonly ranges: readonly Range[]
  readonly options: PoolOptions
  /** Of its record: allocations are conditional on it. */
  version: number
  /** The dynamic address that was given last. */
  last: bigint | undefined
}
