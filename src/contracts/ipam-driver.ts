/**
 * The contract of an address manager. Addresses and prefixes are strings in canonical form here (`10.0.0.2`,
 * `10.0.0.0/24`, `fd00::/64`); how a driver keeps them is its own affair.
 */

export interface PoolRequest {
  /** `local` (this host) or `global` (the cluster): pools overlap only within one space. */
  space: string
  /** Id of the network that asks. */
  owner: string
  family: 4 | 6
  /** `10.0.0.0/24`; a size request (`0.0.0.0/24`, `::/64`); or absent: the driver chooses. */
  subnet?: string
  /** Dynamic addresses come only from these parts of the subnet (`10.0.0.128/25` or `10.0.0.10-10.0.0.50`). */
  ranges?: string[]
  /** Addresses never given dynamically, by name. */
  reserved?: Record<string, string>
  /** Prefixes the pool must not overlap (on-link routes of the host, name servers). */
  exclude?: string[]
  options?: Record<string, string>
}

export interface Pool {
  /** Stable id, unique in the driver. */
  id: string
  subnet: string
  /** Gateway that the driver prescribes, if it does. */
  gateway?: string
  data?: Record<string, string>
}

export interface AddressRequest {
  pool: string
  /** Who will own it: an endpoint id, or a network id for its gateway. */
  owner: string
  /** What it is for; a gateway is taken from the pool's start, an endpoint from the ranges. */
  purpose: 'gateway' | 'endpoint'
  /** A static request: this address or an error. */
  address?: string
  mac?: string
  name?: string
  options?: Record<string, string>
}

export interface Lease {
  pool: string
  /** With the pool's prefix length: `10.0.0.2/24`. */
  address: string
  owner: string
  gateway?: string
  /** Milliseconds since the epoch; absent: until released. */
  expires?: number
  data?: Record<string, string>
}

/** Where a lease that needs the network itself (DHCP) is acquired. */
export interface LeaseContext {
  /** Namespace and interface that will carry the address. */
  namespace: string
  link: string
  mac: string
  hostname?: string
  signal: AbortSignal
  /** Call when the lease changed by itself: renewed with other data, or lost (`undefined`). */
  changed(lease: Lease | undefined): void
}

export interface PoolStatus {
  subnet: string
  /** Numbers saturate at 2^64-1; given as decimal strings because they exceed what a double holds. */
  size: string
  used: string
  /** Free addresses that a dynamic request can still get. */
  free: string
  reserved: string
}

export interface IpamDriver {
  readonly name: string
  readonly capabilities?: {
    /** Addresses are acquired at join through {@link IpamDriver.acquire}, with MAC and namespace known. Default false. */
    leases?: boolean
    /** An address request must carry the MAC. Default false. */
    needsMac?: boolean
  }
  /** @throws CnmError ERR_CNM_POOL_OVERLAP, ERR_CNM_POOLS_EXHAUSTED, ERR_CNM_INVALID_ARGUMENT */
  requestPool(request: PoolRequest): Promise<Pool>
  releasePool(id: string): Promise<void>
  /** @throws CnmError ERR_CNM_ADDRESS_IN_USE, ERR_CNM_ADDRESSES_EXHAUSTED, ERR_CNM_ADDRESS_OUT_OF_RANGE */
  requestAddress(request: AddressRequest): Promise<Lease>
  releaseAddress(pool: string, address: string, owner: string): Promise<void>
  /** Keep the address from being given again until it is released (its clean-up failed). */
  quarantineAddress?(pool: string, address: string, owner: string): Promise<void>
  /** Everything given out, so that leaked leases can be found. */
  leases?(pool: string): Promise<Lease[]>
  status?(pool: string): Promise<PoolStatus>
  acquire?(lease: Lease, context: LeaseContext): Promise<Lease>
  release?(lease: Lease, context: LeaseContext): Promise<void>
  start?(): Promise<void>
  stop?(): Promise<void>
}
