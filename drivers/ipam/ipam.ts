import type {
  AddressRequest,
  IpamDriver,
  Lease,
  Pool,
  PoolOwner,
  PoolRequest,
  PoolStatus,
  PreparedChange,
  PreparedLease,
} from '../../src/contracts/ipam-driver.js'
import type { Store } from '../../src/contracts/store.js'
import { checkAddressRequest } from './address-request.js'
import { type Base, GLOBAL_POOLS, LOCAL_POOLS, parseSources, type PoolSource } from './default-pools.js'
import { follow } from './follow.js'
import { giveAddress, leaseOf, poolOf, prepareLease, prepareRelease, quarantine, takeBack } from './leases.js'
import { Lock } from './lock.js'
import type { PoolOptions } from './pool-options.js'
import { parsePoolRequest, spaceOfPool } from './pool-request.js'
import { makePool, poolNotFound, unmakePool } from './pools.js'
import { formatPrefix, refused } from './prefix.js'
import { addressesKey, addressOfKey, POOLS, readAddressRecord } from './records.js'
import { listAll, Space } from './space.js'
import { statusOf } from './status.js'

export interface IpamOptions {
  /** Where pools and leases are kept. Several drivers, processes and hosts may share one. */
  store: Store
  /** Name under which networks ask for the driver. Default `default`. */
  name?: string
  /** Where subnets of the space `local` come from when none is given. Default: /24s of 172.16.0.0/12, and /64s of a random unique local /48. */
  pools?: readonly PoolSource[]
  /** The same for the space `global`. Default: /24s of 10.128.0.0/9, and /64s of another unique local /48. */
  globalPools?: readonly PoolSource[]
  /**
   * `lowest` (default): the lowest address that is free; `serial`: the next after the one given last, which leaves time
   * before one is used again; `scattered`: anywhere in the ranges, so that many hosts that share the store and take
   * addresses at once rarely reach for the same one.
   */
  order?: 'lowest' | 'serial' | 'scattered'
  /**
   * Whether what others do in a shared store is followed as it happens. Default true. Without, races are lost more often
   * and nothing has to be heard of pools that are not used here.
   */
  follow?: boolean
}

class Ipam implements IpamDriver {
  readonly name: string
  readonly #store: Store
  readonly #bases: { local: readonly Base[]; global: readonly Base[] }
  readonly #defaults: PoolOptions
  readonly #spaces = new Map<string, Space>()
  /** One change to the pools of a space at a time. */
  readonly #locks = new Map<string, Lock>()
  readonly #stopping = new AbortController()
  readonly #isFollowing: boolean
  #following: Promise<void> | undefined

  constructor({
    store,
    name = 'default',
    pools = LOCAL_POOLS,
    globalPools = GLOBAL_POOLS,
    order = 'lowest',
    follow: isFollowing = true,
  }: IpamOptions) {
    if (!['lowest', 'serial', 'scattered'].includes(order))
      throw refused('order', `expected lowest, serial or scattered, got ${String(order)}`)
    this.#isFollowing = isFollowing && store.scope === 'global'
    this.name = name
    this.#store = store
    this.#bases = { local: parseSources(pools, 'pools'), global: parseSources(globalPools, 'globalPools') }
    this.#defaults = { serial: order === 'serial', scattered: order === 'scattered', eui64: false }
  }

  async start(): Promise<void> {
    // A store of one host shows its own commits only, which are known already.
    if (this.#isFollowing) this.#following ??= follow(this.#store, this.#spaces, this.#stopping.signal)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#following
  }

  async requestPool(request: PoolRequest): Promise<Pool> {
    const parsed = parsePoolRequest(request, this.#defaults)
    const bases = parsed.space === 'global' ? this.#bases.global : this.#bases.local
    const space = this.#space(parsed.space)
    return this.#alone(parsed.space, async () => {
      await space.whole()
      return makePool(space, parsed, bases)
    })
  }

  async releasePool(id: string): Promise<void> {
    const space = this.#spaceOf(id)
    return this.#alone(space.name, () => unmakePool(space, id))
  }

  async requestAddress(request: AddressRequest): Promise<Lease> {
    const checked = checkAddressRequest(request)
    return giveAddress(this.#spaceOf(checked.pool), checked)
  }

  async prepareAddress(request: AddressRequest): Promise<PreparedLease> {
    const checked = checkAddressRequest(request)
    const { lease, changes, committed, abandoned } = await prepareLease(this.#spaceOf(checked.pool), checked)
    return { lease, changes, committed, abandoned }
  }

  async releaseAddress(pool: string, address: string, owner: string): Promise<void> {
    await takeBack(this.#spaceOf(pool), pool, address, owner)
  }

  async prepareRelease(pool: string, address: string, owner: string): Promise<PreparedChange> {
    return prepareRelease(this.#spaceOf(pool), pool, address, owner)
  }

  async quarantineAddress(pool: string, address: string, owner: string): Promise<void> {
    await quarantine(this.#spaceOf(pool), pool, address, owner)
  }

  async pools(): Promise<PoolOwner[]> {
    const entries = await this.#store.list(POOLS)
    const names = new Set(entries.map(({ key }) => spaceOfPool(key.slice(POOLS.length))!))
    const found: PoolOwner[] = []
    for (const name of names) {
      const space = this.#space(name)
      await space.refresh()
      for (const { id, owner, prefix } of space.pools) found.push({ id, space: name, owner, subnet: formatPrefix(prefix) })
    }
    return found
  }

  async leases(id: string): Promise<Lease[]> {
    const space = this.#spaceOf(id)
    const pool = await poolOf(space, id)
    const leases: Lease[] = []
    for await (const entry of listAll(this.#store, addressesKey(space.name, pool.prefix))) {
      const record = readAddressRecord(entry)
      if (record.pool === id) leases.push(leaseOf(pool, addressOfKey(entry.key), record))
    }
    return leases
  }

  async status(id: string): Promise<PoolStatus> {
    const space = this.#spaceOf(id)
    const pool = await poolOf(space, id)
    await space.loaded(pool)
    return statusOf(pool)
  }

  #spaceOf(id: string): Space {
    const name = typeof id === 'string' ? spaceOfPool(id) : undefined
    if (name === undefined) throw poolNotFound(String(id))
    return this.#space(name)
  }

  #space(name: string): Space {
    const space = this.#spaces.get(name) ?? new Space(name, this.#store, this.#defaults)
    this.#spaces.set(name, space)
    return space
  }

  #alone<T>(space: string, task: () => Promise<T>): Promise<T> {
    const lock = this.#locks.get(space) ?? new Lock()
    this.#locks.set(space, lock)
    return lock.run(task)
  }
}

/**
 * The address manager that networks use by default. Pools and addresses are records of the store, each written by a
 * commit that fails if somebody else was faster: whoever shares the store, no address is given twice.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT for sources of subnets that are not prefixes
 */
export const ipam = (options: IpamOptions): IpamDriver => new Ipam(options)
