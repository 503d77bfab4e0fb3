import type { Store, StoreEntry } from '../../src/contracts/store.js'
import { parsePoolOptions, type PoolOptions } from './pool-options.js'
import { parseReserved, subnetOfPool } from './pool-request.js'
import type { ClaimedSubnet, LoadedPool } from './pool.js'
import { type Family, parsePrefix, type Prefix } from './prefix.js'
import { PrefixTree } from './prefix-tree.js'
import { parseRanges } from './ranges.js'
import {
  addressesKey,
  addressOfKey,
  generationKey,
  POOLS,
  type PoolRecord,
  readAddressRecord,
  readPoolRecord,
  subnetName,
} from './records.js'
import { Subnet } from './subnet.js'

/** Addresses listed at a time. */
const PAGE = 5_000

/**
 * One address space: its pools, which overlap nowhere, and what is taken in them. A copy of what the store holds, as far
 * as it was needed.
 */
export class Space {
  readonly #trees = { 4: new PrefixTree<ClaimedSubnet>(4), 6: new PrefixTree<ClaimedSubnet>(6) }
  readonly #pools = new Map<string, LoadedPool>()
  readonly #subnets = new Map<string, Subnet>()
  /** Version of the record that is written with every new pool. */
  generation: number | undefined
  #whole: Promise<void> | undefined

  constructor(
    readonly name: string,
    readonly store: Store,
    readonly defaults: PoolOptions,
  ) {}

  get pools(): Iterable<LoadedPool> {
    return this.#pools.values()
  }

  tree(family: Family): PrefixTree<ClaimedSubnet> {
    return this.#trees[family]
  }

  pool(id: string): LoadedPool | undefined {
    return this.#pools.get(id)
  }

  /** By the name that it has in keys of the store. */
  subnet(name: string): Subnet | undefined {
    return this.#subnets.get(name)
  }

  /** Pools that overlap a prefix. */
  *overlapping(prefix: Prefix): Generator<LoadedPool> {
    for (const { value } of this.tree(prefix.family).overlapping(prefix)) yield* value.pools.values()
  }

  /** Has all pools read, once. Who makes a pool has to know them; who takes an address, only those of its subnet. */
  whole(): Promise<void> {
    this.#whole ??= this.refresh().catch((error: unknown) => {
      this.#whole = undefined
      throw error
    })
    return this.#whole
  }

  /** Reads all pools anew: others may have made and released some. */
  async refresh(): Promise<void> {
    const generation = await this.store.get(generationKey(this.name))
    this.#replace([...this.#pools.keys()], await this.store.list(`${POOLS}${this.name}/`))
    this.generation = generation?.version
  }

  /** Reads one pool anew, and those that have parts of the same subnet. */
  async read(id: string): Promise<LoadedPool | undefined> {
    const known = [...(this.#pools.get(id)?.claimed.pools.keys() ?? [])]
    this.#replace(known, await this.store.list(POOLS + subnetOfPool(id)))
    return this.#pools.get(id)
  }

  #replace(known: readonly string[], entries: readonly StoreEntry[]): void {
    const present = new Set(entries.map(({ key }) => key.slice(POOLS.length)))
    for (const id of known) if (!present.has(id)) this.remove(id)
    for (const entry of entries) this.put(entry)
  }

  /** Takes over a pool's record. */
  put(entry: StoreEntry): LoadedPool {
    const id = entry.key.slice(POOLS.length)
    const record = readPoolRecord(entry)
    const known = this.#pools.get(id)
    if (known?.owner === record.owner) {
      known.version = Math.max(known.version, entry.version)
      return known
    }
    this.remove(id)
    const pool = this.#load(id, record, entry.version)
    this.#pools.set(id, pool)
    return pool
  }

  #load(id: string, record: PoolRecord, version: number): LoadedPool {
    const prefix = parsePrefix(record.subnet, record.subnet.includes(':') ? 6 : 4, 'subnet')
    const claimed = this.#claimed(prefix)
    const { space, owner } = { space: this.name, owner: record.owner }
    const ranges = parseRanges(record.ranges, prefix)
    const options = parsePoolOptions(record.options, this.defaults)
    const pool: LoadedPool = { id, space, owner, prefix, claimed, subnet: claimed.subnet, ranges, options, version, last: undefined }
    claimed.subnet.reserve(id, parseReserved(record.reserved, prefix))
    claimed.pools.set(id, pool)
    return pool
  }

  #claimed(prefix: Prefix): ClaimedSubnet {
    const tree = this.tree(prefix.family)
    const known = tree.get(prefix)
    if (known !== undefined) return known
    const claimed: ClaimedSubnet = { subnet: new Subnet(prefix), pools: new Map(), loaded: undefined, reading: undefined }
    tree.add(prefix, claimed)
    this.#subnets.set(subnetName(prefix), claimed.subnet)
    return claimed
  }

  remove(id: string): void {
    const pool = this.#pools.get(id)
    if (pool === undefined) return
    this.#pools.delete(id)
    const tree = this.tree(pool.prefix.family)
    const claimed = tree.get(pool.prefix)
    claimed?.pools.delete(id)
    claimed?.subnet.unreserve(id)
    if (claimed?.pools.size !== 0) return
    tree.delete(pool.prefix)
    this.#subnets.delete(subnetName(pool.prefix))
  }

  /** Has the addresses of a pool's subnet read, once. */
  loaded(pool: LoadedPool): Promise<void> {
    const { claimed } = pool
    claimed.loaded ??= this.reload(pool).catch((error: unknown) => {
      claimed.loaded = undefined
      throw error
    })
    return claimed.loaded
  }

  /** Reads the addresses of a pool's subnet anew; callers that meet share one reading. */
  reload({ claimed }: LoadedPool): Promise<void> {
    const { subnet, pools } = claimed
    claimed.reading ??= subnet.reload((found) => this.#addresses(subnet.prefix, pools, found)).finally(() => (claimed.reading = undefined))
    return claimed.reading
  }

  async #addresses(prefix: Prefix, pools: ReadonlyMap<string, LoadedPool>, found: (address: bigint) => void): Promise<void> {
    const serial = [...pools.values()].some(({ options }) => options.serial)
    const newest = new Map<LoadedPool, { version: number; address: bigint }>()
    for await (const entry of listAll(this.store, addressesKey(this.name, prefix))) {
      const address = addressOfKey(entry.key)
      found(address)
      if (!serial) continue
      const record = readAddressRecord(entry)
      const pool = pools.get(record.pool)
      if (pool === undefined || record.purpose !== 'dynamic' || entry.version < (newest.get(pool)?.version ?? 0)) continue
      newest.set(pool, { version: entry.version, address })
    }
    for (const [pool, { address }] of newest) pool.last ??= address
  }
}

/** All entries under a prefix, without holding them at once. */
export async function* listAll(store: Store, prefix: string): AsyncGenerator<StoreEntry> {
  for (let after: string | undefined; ;) {
    const page = await store.list(prefix, { after, limit: PAGE })
    yield* page
    if (page.length < PAGE) return
    after = page.at(-1)!.key
  }
}
