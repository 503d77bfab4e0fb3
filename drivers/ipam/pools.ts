import { CnmError } from '../../src/contracts/errors.js'
import type { Pool } from '../../src/contracts/ipam-driver.js'
import type { StoreChange } from '../../src/contracts/store.js'
import { chooseSubnet } from './choose-subnet.js'
import type { Base } from './default-pools.js'
import { type ParsedPoolRequest, parseReserved, poolId } from './pool-request.js'
import { formatAddress, formatPrefix, type Prefix } from './prefix.js'
import {
  addressesKey,
  addressKey,
  addressOfKey,
  generationKey,
  poolKey,
  type PoolRecord,
  readAddressRecord,
  readPoolRecord,
} from './records.js'
import { listAll, type Space } from './space.js'
import { ulaBase } from './ula.js'

/** How often a commit is tried when others make pools at the same time. */
const ATTEMPTS = 50

export const isConflict = (error: unknown): error is CnmError => error instanceof CnmError && error.code === 'ERR_CNM_STORE_CONFLICT'

/** Makes a pool. Not to be called twice at once for one space. */
export async function makePool(space: Space, parsed: ParsedPoolRequest, bases: readonly Base[]): Promise<Pool> {
  for (let attempt = 1; ; attempt++) {
    const prefix = parsed.subnet ?? (await automatic(space, parsed, bases))
    if (parsed.subnet !== undefined) await requireFree(space, prefix, parsed.raw.ranges)
    try {
      return await commitPool(space, parsed, prefix)
    } catch (error) {
      if (!isConflict(error) || attempt === ATTEMPTS) throw error
      await space.refresh()
    }
  }
}

async function commitPool(space: Space, { owner, raw }: ParsedPoolRequest, prefix: Prefix): Promise<Pool> {
  const id = poolId(space.name, prefix, raw.ranges)
  const record: PoolRecord = { version: 1, owner, subnet: formatPrefix(prefix), ...raw }
  const changes: StoreChange[] = [
    { put: poolKey(id), value: record, expect: 'absent' },
    { put: generationKey(space.name), value: null, expect: space.generation ?? 'absent' },
    ...(await sharing(space, prefix, raw.reserved)),
  ]
  const versions = await space.store.commit(changes)
  space.generation = versions.get(generationKey(space.name))
  space.put({ key: poolKey(id), value: record, version: versions.get(poolKey(id))! })
  for (const other of space.overlapping(prefix)) other.version = versions.get(poolKey(other.id)) ?? other.version
  return { id, subnet: record.subnet }
}

/**
 * What a new pool means for others of the same subnet: none of their leases may be reserved by it, and whoever gives
 * addresses for them must learn of the reservations first, so their records are written anew.
 */
async function sharing(space: Space, prefix: Prefix, reserved: Readonly<Record<string, string>>): Promise<StoreChange[]> {
  const others = [...space.overlapping(prefix)]
  if (others.length === 0) return []
  const changes: StoreChange[] = []
  for (const { id } of others) {
    const entry = await space.store.get(poolKey(id))
    if (entry !== undefined) changes.push({ put: entry.key, value: entry.value, expect: entry.version })
  }
  for (const [address, name] of parseReserved(reserved, prefix)) {
    const key = addressKey(space.name, prefix, address)
    const entry = await space.store.get(key)
    if (entry !== undefined) {
      const text = `reserved.${name}: ${formatAddress(prefix.family, address)} belongs to ${readAddressRecord(entry).owner}`
      throw new CnmError('ERR_CNM_ADDRESS_IN_USE', text, { field: `reserved.${name}` })
    }
    changes.push({ check: key, expect: 'absent' })
  }
  return changes
}

/** A subnet of the sources. What others have released may be free, though we do not know it yet. */
async function automatic(space: Space, { family, length, exclude }: ParsedPoolRequest, configured: readonly Base[]): Promise<Prefix> {
  const bases =
    family === 6 && !configured.some(({ prefix }) => prefix.family === 6)
      ? [...configured, await ulaBase(space.store, space.name)]
      : configured
  try {
    return chooseSubnet(space, family, bases, exclude, length)
  } catch {
    await space.refresh()
    return chooseSubnet(space, family, bases, exclude, length)
  }
}

/** Parts of one subnet may be pools of their own; anything else must not overlap. @throws CnmError ERR_CNM_POOL_OVERLAP */
async function requireFree(space: Space, prefix: Prefix, ranges: readonly string[]): Promise<void> {
  const inTheWay = () =>
    [...space.overlapping(prefix)].find((other) => !mayShare(other.id, other.prefix, poolId(space.name, prefix, ranges), prefix))
  if (inTheWay() === undefined) return
  await space.refresh()
  const other = inTheWay()
  if (other === undefined) return
  const message = `subnet ${formatPrefix(prefix)} overlaps ${formatPrefix(other.prefix)}, which belongs to ${other.owner}`
  throw new CnmError('ERR_CNM_POOL_OVERLAP', message, { field: 'subnet', object: other.id })
}

function mayShare(leftId: string, left: Prefix, rightId: string, right: Prefix): boolean {
  const isPart = (id: string): boolean => id.split('/').length > 2
  return left.start === right.start && left.length === right.length && leftId !== rightId && isPart(leftId) && isPart(rightId)
}

/** Releases a pool that has no leases. Not to be called twice at once for one space. @throws CnmError ERR_CNM_POOL_NOT_FOUND, ERR_CNM_POOL_IN_USE */
export async function unmakePool(space: Space, id: string): Promise<void> {
  const key = poolKey(id)
  for (;;) {
    const entry = await space.store.get(key)
    if (entry === undefined) {
      space.remove(id)
      throw poolNotFound(id)
    }
    const pool = space.put(entry)
    const { releasing: _releasing, ...record } = readPoolRecord(entry)
    try {
      // From here on nobody can take an address: allocations expect the version of the pool's record.
      const marked = (await space.store.commit([{ put: key, value: { ...record, releasing: true }, expect: entry.version }])).get(key)!
      pool.version = marked
      const leases = await holders(space, pool.prefix, id)
      if (leases.length > 0) {
        pool.version = (await space.store.commit([{ put: key, value: record, expect: marked }])).get(key)!
        throw new CnmError('ERR_CNM_POOL_IN_USE', `pool ${formatPrefix(pool.prefix)} has addresses in use: ${leases.join(', ')}`, {
          object: id,
        })
      }
      await space.store.commit([{ delete: key, expect: marked }])
      space.remove(id)
      return
    } catch (error) {
      if (!isConflict(error)) throw error
    }
  }
}

/** The first few who have an address of a pool. */
async function holders(space: Space, prefix: Prefix, id: string): Promise<string[]> {
  const found: string[] = []
  for await (const entry of listAll(space.store, addressesKey(space.name, prefix))) {
    const { pool, owner } = readAddressRecord(entry)
    if (pool === id) found.push(`${formatAddress(prefix.family, addressOfKey(entry.key))} (${owner})`)
    if (found.length === 10) return [...found, 'perhaps more']
  }
  return found
}

export const poolNotFound = (id: string): CnmError => new CnmError('ERR_CNM_POOL_NOT_FOUND', `there is no pool ${id}`, { object: id })
