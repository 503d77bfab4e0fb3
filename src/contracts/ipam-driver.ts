import type { StoreChange } from './store.js'

/**
 * The contract of an address manager. Addresses and prefixes are strings in canonical form here (`10.0.0.2`,
 * `10.0.0.0/24`, `fd00::/64`); how a driver keeps them is its own affair.
 */

export interface PoolRequest {
  /** `local` (this host) or `global` (the cluster): within one space no two pools overlap. */
  space: string
  /** Id of the network that asks. */
  owner: string
  family: 4 | 6
  /** `10.0.0.0/24`; a size request (`0.0.0.0/24`, `::/64`); or absent: the driver chooses. Without host bits. */
  subnet?: string
  /**
   * Dynamic addresses come only from these parts of the subnet: `10.0.0.128/25`, `10.0.0.10-10.0.0.50` or a single
   * address. Two pools may be of one subnet if both have ranges, and not the same.
   */
  ranges?: string[]
  /** Addresses of the subnet never given to anybody, by name: they are used by somebody the driver does not know. */
  reserved?: Record<string, string>
  /**
   * Prefixes that a subnet the driver chooses must not overlap (on-link routes of the host, name servers). A subnet
   * asked for by number is taken as it is: that of a macvlan network is on-link on purpose.
   */
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
  /**
   * A static request: this address of the subnet or an error. It stays its owner's until released; the owner may ask
   * for it again and gets the same lease.
   */
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
  /** How it was asked for. Absent from drivers that do not tell. */
  purpose?: 'gateway' | 'static' | 'dynamic'
  /** Its clean-up failed: it is not used and not given again until released. */
  quarantined?: boolean
  data?: Record<string, string>
}

/** Where a lease that needs the network itself (DHCP) is acquired. */
export interface LeaseContext {
  /** Path of the namespace, and the interface in it that will carry the address: up, with its MAC, without an address of the pool. */
  namespace: string
  link: string
  mac: string
  hostname?: string
  /**
   * Of {@link IpamDriver.acquire}: aborted when the lease ends in any way (the join was given up, the endpoint leaves,
   * the controller closes): sockets and timers that renew it must go then. Of {@link IpamDriver.release}: its time is up.
   */
  signal: AbortSignal
  /**
   * Call when the lease changed by itself: renewed (with its new `expires`), other data, or lost (`undefined`). The
   * address and gateway of the running interface follow, and programs are told by `endpoint:change`. After a lost one
   * another may come. Without effect once `signal` is aborted.
   */
  changed(lease: Lease | undefined): void
}

export interface PoolStatus {
  subnet: string
  /** Numbers saturate at 2^64-1; given as decimal strings because they exceed what a double holds. */
  size: string
  /** Leases: gateways, static and dynamic ones, quarantined ones. */
  used: string
  /** Free addresses that a dynamic request can still get. */
  free: string
  /** Addresses that are never given: reserved by name, network and broadcast address. */
  reserved: string
}

/** A pool as {@link IpamDriver.pools} lists it. */
export interface PoolOwner {
  id: string
  space: string
  owner: string
  subnet: string
}

/**
 * A lease, or the end of one, that happens with a commit of the caller's: it adds `changes` to its own and commits
 * them to the store that the driver was made with, then calls `committed`; or `abandoned` when the commit failed or
 * was never made. After ERR_CNM_STORE_CONFLICT: `abandoned`, and prepare again.
 */
export interface PreparedChange {
  changes: StoreChange[]
  committed(): void
  abandoned(): void
}

export interface PreparedLease extends PreparedChange {
  lease: Lease
}

export interface IpamDriver {
  readonly name: string
  readonly capabilities?: {
    /**
     * Addresses are acquired at join through {@link IpamDriver.acquire}, with MAC and namespace known, and given back at
     * leave. {@link IpamDriver.requestAddress} for an endpoint then only notes what is wanted: it may return a lease
     * whose address is empty, and {@link IpamDriver.releaseAddress} gets the address last held, or an empty one. A pool
     * whose subnet is not known in advance is `0.0.0.0/0` or `::/0`. Default false.
     */
    leases?: boolean
    /** An address request must carry the MAC. Default false. */
    needsMac?: boolean
  }
  /** @throws CnmError ERR_CNM_POOL_OVERLAP, ERR_CNM_POOLS_EXHAUSTED, ERR_CNM_INVALID_ARGUMENT */
  requestPool(request: PoolRequest): Promise<Pool>
  /** @throws CnmError ERR_CNM_POOL_NOT_FOUND; ERR_CNM_POOL_IN_USE while it has leases */
  releasePool(id: string): Promise<void>
  /** @throws CnmError ERR_CNM_ADDRESS_IN_USE, ERR_CNM_ADDRESSES_EXHAUSTED, ERR_CNM_ADDRESS_OUT_OF_RANGE */
  requestAddress(request: AddressRequest): Promise<Lease>
  /** @throws CnmError ERR_CNM_ADDRESS_NOT_FOUND when the owner does not have the address */
  releaseAddress(pool: string, address: string, owner: string): Promise<void>
  /** As {@link requestAddress}, with a commit of the caller's. */
  prepareAddress?(request: AddressRequest): Promise<PreparedLease>
  /** As {@link releaseAddress}, with a commit of the caller's. */
  prepareRelease?(pool: string, address: string, owner: string): Promise<PreparedChange>
  /** Keep the address from being given again until it is released (its clean-up failed). */
  quarantineAddress?(pool: string, address: string, owner: string): Promise<void>
  /** Every pool, so that leaked ones can be found. */
  pools?(): Promise<PoolOwner[]>
  /** Everything given out of a pool, so that leaked leases can be found. */
  leases?(pool: string): Promise<Lease[]>
  status?(pool: string): Promise<PoolStatus>
  /**
   * For drivers with leases: at every join, and after a restart of the controller for every endpoint that is joined. The
   * lease given has the address to ask for (held last, or static) or an empty one, and the `data` of the last lease. The
   * one returned has the prefix length that the interface gets. From its `expires` on the address is not used, unless a
   * renewed lease was reported by then. May take up to 60 s.
   */
  acquire?(lease: Lease, context: LeaseContext): Promise<Lease>
  /**
   * The end of what {@link acquire} returned, while the interface still is in its namespace; after a crash, or when
   * somebody else removed the namespace, possibly without it, and possibly again.
   */
  release?(lease: Lease, context: LeaseContext): Promise<void>
  start?(): Promise<void>
  stop?(): Promise<void>
}
