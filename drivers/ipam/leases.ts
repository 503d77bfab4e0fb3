import { randomInt } from 'node:crypto'
import { CnmError } from '../../src/contracts/errors.js'
import type { AddressRequest, Lease, PreparedChange, PreparedLease } from '../../src/contracts/ipam-driver.js'
import type { StoreChange } from '../../src/contracts/store.js'
import { eui64Address } from './eui64.js'
import { parseAddressOptions, type PoolOptions } from './pool-options.js'
import type { LoadedPool } from './pool.js'
import { isConflict, poolNotFound } from './pools.js'
import { contains, formatAddress, formatPrefix, lastOf, parseAddress, type Range } from './prefix.js'
import { addressesKey, addressKey, addressOfKey, type AddressRecord, poolKey, readAddressRecord, readPoolRecord } from './records.js'
import type { Space } from './space.js'

/** What crypto.randomInt takes. */
const LARGEST_RANDOM = 2n ** 47n

/** Addresses looked up at once where somebody else was faster: there are probably more behind. */
const CATCH_UP = 256

type Prepared = PreparedLease & { pool: LoadedPool; address: bigint }

/** Gives an address: tries until its own commit is the one that takes it. */
export async function giveAddress(space: Space, request: AddressRequest): Promise<Lease> {
  for (;;) {
    const prepared = await prepareLease(space, request)
    if (await commit(space, prepared, (conflict) => learn(space, prepared, conflict))) return prepared.lease
  }
}

/** Takes an address back. @throws CnmError ERR_CNM_ADDRESS_NOT_FOUND */
export async function takeBack(space: Space, pool: string, address: string, owner: string): Promise<void> {
  while (!(await commit(space, await prepareRelease(space, pool, address, owner)))) continue
}

/** Marks a lease so that everybody sees that its address is not in order. @throws CnmError ERR_CNM_ADDRESS_NOT_FOUND */
export async function quarantine(space: Space, pool: string, address: string, owner: string): Promise<void> {
  for (;;) {
    const { key, record, version } = await owned(space, pool, address, owner)
    const changes: StoreChange[] = [{ put: key, value: { ...record, quarantined: true }, expect: version }]
    if (await commit(space, { changes, committed: nothing, abandoned: nothing })) return
  }
}

/** @returns whether the commit was made; false after a lost race, of which `lost` is told */
async function commit(space: Space, prepared: PreparedChange, lost?: (conflict: CnmError) => Promise<void>): Promise<boolean> {
  if (prepared.changes.length === 0) return true
  try {
    await space.store.commit(prepared.changes)
  } catch (error) {
    prepared.abandoned()
    if (!isConflict(error)) throw error
    await lost?.(error)
    return false
  }
  prepared.committed()
  return true
}

/** Chooses an address and takes it here; the store takes it with the commit of the changes. */
export async function prepareLease(space: Space, request: AddressRequest): Promise<Prepared> {
  const pool = await poolOf(space, request.pool)
  await space.loaded(pool)
  const options = parseAddressOptions(request.options ?? {}, pool.options)
  const wanted = wantedAddress(pool, request, options)
  if (wanted === undefined) return dynamic(space, pool, request, options)
  requireUsable(pool, wanted)
  const record = pool.subnet.isTaken(wanted) ? await recordOf(space, pool, wanted) : undefined
  if (record === undefined) return take(space, pool, request, wanted)
  if (record.owner !== request.owner || record.quarantined) throw inUse(pool, wanted, record)
  return { lease: leaseOf(pool, wanted, record), changes: [], committed: nothing, abandoned: nothing, pool, address: wanted }
}

/** @throws CnmError ERR_CNM_ADDRESSES_EXHAUSTED */
async function dynamic(space: Space, pool: LoadedPool, request: AddressRequest, { serial, scattered }: PoolOptions): Promise<Prepared> {
  const { subnet, prefix } = pool
  const isGateway = request.purpose === 'gateway'
  const ranges = isGateway ? [{ first: prefix.start, last: lastOf(prefix) }] : pool.ranges
  const start = isGateway ? undefined : serial ? pool.last : scattered ? somewhere(ranges) : undefined
  const next = (): bigint | undefined => subnet.nextFree(ranges, start)
  let found = next()
  if (found === undefined) {
    // Others who share the store may have released some.
    await space.reload(pool)
    found = next()
  }
  if (found === undefined) {
    const where = ranges === pool.ranges && ranges[0]?.first !== prefix.start ? ' in its ranges' : ''
    throw new CnmError('ERR_CNM_ADDRESSES_EXHAUSTED', `no address of ${formatPrefix(prefix)} is free${where}`, { object: pool.id })
  }
  if (!isGateway) pool.last = found
  return take(space, pool, request, found)
}

/** Any address of the ranges, or the one before: what follows is looked at. */
function somewhere(ranges: readonly Range[]): bigint {
  const { first, last } = ranges[randomInt(ranges.length)]!
  const size = last - first + 1n
  const step = size > LARGEST_RANDOM ? size / LARGEST_RANDOM : 1n
  return first - 1n + BigInt(randomInt(Number(size / step))) * step
}

function take(space: Space, pool: LoadedPool, request: AddressRequest, address: bigint): Prepared {
  const purpose = request.purpose === 'gateway' ? 'gateway' : request.address === undefined ? 'dynamic' : 'static'
  const record: AddressRecord = { version: 1, owner: request.owner, pool: pool.id, purpose }
  const end = pool.subnet.take(address)
  return {
    lease: leaseOf(pool, address, record),
    changes: [
      { check: poolKey(pool.id), expect: pool.version },
      { put: addressKey(space.name, pool.prefix, address), value: record, expect: 'absent' },
    ],
    committed: () => end(true),
    abandoned: () => end(false),
    pool,
    address,
  }
}

/** The address that a request names, in text or by its MAC. */
function wantedAddress(pool: LoadedPool, { address, purpose, mac }: AddressRequest, { eui64 }: PoolOptions): bigint | undefined {
  if (address === undefined) return eui64 && purpose === 'endpoint' ? eui64Address(pool.prefix, mac) : undefined
  const number = parseAddress(address, pool.prefix.family, 'address')
  if (contains(pool.prefix, number)) return number
  throw new CnmError('ERR_CNM_ADDRESS_OUT_OF_RANGE', `address: ${address} is not in the subnet ${formatPrefix(pool.prefix)}`, {
    field: 'address',
  })
}

function requireUsable({ subnet, prefix }: LoadedPool, address: bigint): void {
  const why = subnet.unusable(address)
  if (why !== undefined) throw new CnmError('ERR_CNM_ADDRESS_OUT_OF_RANGE', `address: ${why}`, { field: 'address' })
  const name = subnet.reservedFor(address)
  if (name === undefined) return
  throw new CnmError('ERR_CNM_ADDRESS_IN_USE', `address: ${formatAddress(prefix.family, address)} is reserved for ${name}`, {
    field: 'address',
  })
}

/** What a lost race tells: the pool has changed, or the address is taken, perhaps with others after it. */
async function learn(space: Space, { pool, address }: Prepared, conflict: CnmError): Promise<void> {
  if (conflict.object === poolKey(pool.id)) {
    const entry = await space.store.get(poolKey(pool.id))
    if (entry !== undefined && readPoolRecord(entry).releasing) throw poolNotFound(pool.id)
    await space.read(pool.id)
    return
  }
  const key = addressKey(space.name, pool.prefix, address)
  pool.subnet.mark(address, (await space.store.get(key)) !== undefined)
  for (const entry of await space.store.list(addressesKey(space.name, pool.prefix), { after: key, limit: CATCH_UP })) {
    pool.subnet.mark(addressOfKey(entry.key), true)
  }
}

/** @throws CnmError ERR_CNM_POOL_NOT_FOUND */
export async function poolOf(space: Space, id: string): Promise<LoadedPool> {
  const pool = space.pool(id) ?? (await space.read(id))
  if (pool === undefined) throw poolNotFound(id)
  return pool
}

async function recordOf(space: Space, pool: LoadedPool, address: bigint): Promise<AddressRecord | undefined> {
  const entry = await space.store.get(addressKey(space.name, pool.prefix, address))
  return entry && readAddressRecord(entry)
}

/** @throws CnmError ERR_CNM_ADDRESS_NOT_FOUND */
export async function prepareRelease(space: Space, id: string, text: string, owner: string): Promise<PreparedChange> {
  const { pool, address, version, key } = await owned(space, id, text, owner)
  return {
    changes: [{ delete: key, expect: version }],
    committed: () => pool.subnet.mark(address, false),
    abandoned: nothing,
  }
}

async function owned(space: Space, id: string, text: string, owner: string) {
  const pool = await poolOf(space, id)
  const address = parseAddress(text, pool.prefix.family, 'address')
  const key = addressKey(space.name, pool.prefix, address)
  const entry = await space.store.get(key)
  const record = entry && readAddressRecord(entry)
  if (entry !== undefined && record?.owner === owner) return { pool, address, key, record, version: entry.version }
  const message = `${owner} does not have the address ${text} of ${formatPrefix(pool.prefix)}`
  throw new CnmError('ERR_CNM_ADDRESS_NOT_FOUND', message, { field: 'address', object: id })
}

export function leaseOf(pool: LoadedPool, address: bigint, { owner, purpose, quarantined }: AddressRecord): Lease {
  const text = `${formatAddress(pool.prefix.family, address)}/${pool.prefix.length}`
  return { pool: pool.id, address: text, owner, purpose, ...(quarantined ? { quarantined } : {}) }
}

function inUse({ id, prefix }: LoadedPool, address: bigint, { owner, quarantined }: AddressRecord): CnmError {
  const text = `address: ${formatAddress(prefix.family, address)} belongs to ${owner}${quarantined ? ' and is quarantined' : ''}`
  return new CnmError('ERR_CNM_ADDRESS_IN_USE', text, { field: 'address', object: id })
}

const nothing = (): void => undefined
