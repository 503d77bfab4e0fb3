import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ipam } from '../../drivers/ipam/index.js'
import type { IpamDriver } from '../../src/contracts/ipam-driver.js'
import type { Store } from '../../src/contracts/store.js'
import { CnmError } from '../../src/index.js'
import { lmdb } from '../../src/store/lmdb.js'
import { memory } from '../../src/store/memory.js'
import {
  addressText,
  dynamicAddress,
  freeCount,
  gatewayAddress,
  lengthOf,
  type ModelPool,
  overlap,
  read,
  subnetText,
  unusable,
} from './ipam-model.js'

const OWNERS = ['a', 'b', 'c']

/** A run of random operations on the real driver and the model; every answer must be the same. */
class Run {
  driver: IpamDriver
  readonly pools = new Map<string, ModelPool>()
  #state: number

  constructor(
    public store: Store,
    seed: number,
    readonly reopenStore: (store: Store) => Promise<Store>,
  ) {
    this.driver = ipam({ store })
    this.#state = seed
  }

  /** A number below `limit` (mulberry32). */
  random(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let value = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value
    return ((value ^ (value >>> 14)) >>> 0) % limit
  }

  pick<T>(items: readonly T[]): T {
    return items[this.random(items.length)]!
  }

  async step(): Promise<void> {
    const what = this.random(1000)
    if (what < 10) return this.requestPool()
    if (what < 17) return this.releasePool()
    if (what < 22) return this.reopen()
    if (what < 30) return this.compare()
    const [id, pool] = this.pick([...this.pools]) ?? []
    if (id === undefined || pool === undefined) return this.requestPool()
    if (what < 600 && !pool.loaded) read(pool)
    if (what < 350) return this.dynamic(id, pool)
    if (what < 380) return this.gateway(id, pool)
    if (what < 600) return this.static(id, pool)
    if (what < 620) return this.quarantine(id, pool)
    return this.release(id, pool)
  }

  async requestPool(): Promise<void> {
    const family = this.pick([4, 6] as const)
    const size = 2 ** this.random(9)
    const start = this.random(65_536 / size / 64) * size
    const pool: ModelPool = {
      family,
      start,
      size,
      ranges: [[start, start + size - 1]],
      reserved: [],
      serial: this.random(3) === 0,
      last: undefined,
      loaded: false,
      leases: new Map(),
    }
    const inside = (): number => start + this.random(size)
    const ranges: string[] = []
    if (this.random(2) === 0) {
      pool.ranges = Array.from(
        { length: 1 + this.random(3) },
        () => [inside(), inside()].sort((left, right) => left - right) as [number, number],
      )
      for (const [first, last] of pool.ranges) ranges.push(`${addressText(family, first)}-${addressText(family, last)}`)
    }
    pool.reserved = [...new Set(Array.from({ length: this.random(3) }, inside))]
    const reserved = Object.fromEntries(pool.reserved.map((address, index) => [`name${index}`, addressText(family, address)]))
    const options = { serial: String(pool.serial) }
    const asked = this.driver.requestPool({ space: 'local', owner: 'net', family, subnet: subnetText(pool), ranges, reserved, options })
    const others = [...this.pools.values()].filter((other) => overlap(pool, other))
    const sameSubnet = others.every((other) => other.start === start && other.size === size)
    if (others.length === 0) this.pools.set((await asked).id, pool)
    else if (sameSubnet && ranges.length > 0) {
      // A second pool of the subnet, if the first has ranges too and no lease is to be reserved: made and released.
      const made = await asked.catch((error: unknown) => error as CnmError)
      if (made instanceof CnmError) expect(['ERR_CNM_POOL_OVERLAP', 'ERR_CNM_ADDRESS_IN_USE']).toContain(made.code)
      else await this.driver.releasePool(made.id)
    } else await refused(asked, 'ERR_CNM_POOL_OVERLAP')
  }

  async releasePool(): Promise<void> {
    const [id, pool] = this.pick([...this.pools]) ?? []
    if (id === undefined || pool === undefined) return
    if (pool.leases.size > 0) return refused(this.driver.releasePool(id), 'ERR_CNM_POOL_IN_USE')
    await this.driver.releasePool(id)
    this.pools.delete(id)
  }

  async reopen(): Promise<void> {
    this.store = await this.reopenStore(this.store)
    this.driver = ipam({ store: this.store })
    for (const pool of this.pools.values()) [pool.last, pool.loaded] = [undefined, false]
  }

  async dynamic(id: string, pool: ModelPool): Promise<void> {
    const owner = this.pick(OWNERS)
    await this.given(id, pool, dynamicAddress(pool), owner, 'dynamic', this.driver.requestAddress({ pool: id, owner, purpose: 'endpoint' }))
  }

  async gateway(id: string, pool: ModelPool): Promise<void> {
    const owner = this.pick(OWNERS)
    await this.given(id, pool, gatewayAddress(pool), owner, 'gateway', this.driver.requestAddress({ pool: id, owner, purpose: 'gateway' }))
  }

  async static(id: string, pool: ModelPool): Promise<void> {
    const owner = this.pick(OWNERS)
    const address = Math.max(0, pool.start + this.random(pool.size + 2) - 1)
    const inside = address >= pool.start && address < pool.start + pool.size
    const asked = this.driver.requestAddress({ pool: id, owner, purpose: 'endpoint', address: addressText(pool.family, address) })
    if (!inside || unusable(pool, address)) return refused(asked, 'ERR_CNM_ADDRESS_OUT_OF_RANGE')
    const lease = pool.leases.get(address)
    if (pool.reserved.includes(address) || (lease !== undefined && (lease.owner !== owner || lease.quarantined)))
      return refused(asked, 'ERR_CNM_ADDRESS_IN_USE')
    if (lease !== undefined) expect((await asked).purpose).toBe(lease.purpose)
    else await this.given(id, pool, address, owner, 'static', asked)
  }

  async given(
    id: string,
    pool: ModelPool,
    address: number | undefined,
    owner: string,
    purpose: 'gateway' | 'static' | 'dynamic',
    asked: Promise<unknown>,
  ): Promise<void> {
    if (address === undefined) {
      await refused(asked, 'ERR_CNM_ADDRESSES_EXHAUSTED')
      return read(pool)
    }
    expect(await asked).toEqual({ pool: id, address: `${addressText(pool.family, address)}/${lengthOf(pool)}`, owner, purpose })
    pool.leases.set(address, { owner, purpose, quarantined: false })
    if (purpose === 'dynamic') pool.last = address
  }

  async quarantine(id: string, pool: ModelPool): Promise<void> {
    const [address, lease] = this.pick([...pool.leases]) ?? []
    if (address === undefined || lease === undefined) return
    await this.driver.quarantineAddress!(id, addressText(pool.family, address), lease.owner)
    // Written anew: it is the newest now.
    pool.leases.delete(address)
    pool.leases.set(address, { ...lease, quarantined: true })
  }

  async release(id: string, pool: ModelPool): Promise<void> {
    const address = this.random(4) === 0 ? pool.start + this.random(pool.size) : this.pick([...pool.leases.keys()])
    if (address === undefined) return
    const owner = this.random(4) === 0 ? this.pick(OWNERS) : (pool.leases.get(address)?.owner ?? 'a')
    const released = this.driver.releaseAddress(id, addressText(pool.family, address), owner)
    if (pool.leases.get(address)?.owner !== owner) return refused(released, 'ERR_CNM_ADDRESS_NOT_FOUND')
    await released
    pool.leases.delete(address)
  }

  async compare(): Promise<void> {
    expect((await this.driver.pools!()).map(({ subnet }) => subnet).sort()).toEqual([...this.pools.values()].map(subnetText).sort())
    for (const [id, pool] of this.pools) {
      if (!pool.loaded) read(pool)
      const leases = await this.driver.leases!(id)
      const expected = [...pool.leases].sort(([left], [right]) => left - right)
      expect(leases.map(({ address, owner, purpose, quarantined = false }) => [address, owner, purpose, quarantined])).toEqual(
        expected.map(([address, { owner, purpose, quarantined }]) => [
          `${addressText(pool.family, address)}/${lengthOf(pool)}`,
          owner,
          purpose,
          quarantined,
        ]),
      )
      expect(await this.driver.status!(id)).toMatchObject({ used: String(pool.leases.size), free: String(freeCount(pool)) })
    }
  }
}

async function refused(call: Promise<unknown>, code: string): Promise<void> {
  const result = await call.catch((error: unknown) => error)
  if (!(result instanceof CnmError) || result.code !== code)
    expect.fail(`expected ${code}, got ${result instanceof Error ? result.stack : JSON.stringify(result)}`)
}

async function run(store: Store, seed: number, steps: number, reopen: (store: Store) => Promise<Store>): Promise<void> {
  const run = new Run(store, seed, reopen)
  for (let step = 0; step < steps; step++) {
    try {
      await run.step()
    } catch (error) {
      throw new Error(`seed ${seed}, step ${step}: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  }
  await run.compare()
  await run.store.close()
}

it('equals the model after 10,000 random operations, with new drivers on the store at any point', { timeout: 120_000 }, () =>
  fc.assert(
    fc.asyncProperty(fc.integer(), (seed) => run(memory(), seed, 10_000, async (store) => store)),
    // A failing seed says enough: fewer steps of it would not.
    { numRuns: 2, endOnFailure: true },
  ),
)

it('equals the model over closing and opening the LMDB store', { timeout: 120_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'ipam-'))
  try {
    await run(await lmdb({ directory }), Date.now() & 0xffff, 2_000, async (store) => {
      await store.close()
      return lmdb({ directory })
    })
  } finally {
    await rm(directory, { recursive: true })
  }
})
