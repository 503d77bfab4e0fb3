import * as v from 'valibot'
import { CnmError } from '../../src/contracts/errors.js'
import type { StoreEntry } from '../../src/contracts/store.js'
import { bitsOf, formatPrefix, type Prefix } from './prefix.js'

/**
 * What the store keeps. One small record per pool and per address, so that an allocation is one write that meets no
 * other; addresses are in hexadecimal digits of fixed length, so that they are listed in their order.
 *
 *     ipam/pool/<space>/<subnet>[/<ranges>]    a pool
 *     ipam/address/<space>/<subnet>/<digits>   an address and its owner
 *     ipam/ula/<space>                         the random /48 of IPv6 pools
 *     ipam/generation/<space>                  written with every new pool: two that overlap cannot both succeed
 */
export const POOLS = 'ipam/pool/'
export const ADDRESSES = 'ipam/address/'

export const poolKey = (id: string): string => POOLS + id
export const ulaKey = (space: string): string => `ipam/ula/${space}`
export const generationKey = (space: string): string => `ipam/generation/${space}`
export const subnetName = (subnet: Prefix): string => formatPrefix(subnet).replace('/', '-')
export const addressesKey = (space: string, subnet: Prefix): string => `${ADDRESSES}${space}/${subnetName(subnet)}/`
export const addressKey = (space: string, subnet: Prefix, address: bigint): string =>
  addressesKey(space, subnet) + address.toString(16).padStart(bitsOf(subnet.family) / 4, '0')
export const addressOfKey = (key: string): bigint => BigInt(`0x${key.slice(key.lastIndexOf('/') + 1)}`)

const texts = v.record(v.string(), v.string())

const poolSchema = v.strictObject({
  version: v.literal(1),
  owner: v.string(),
  subnet: v.string(),
  ranges: v.array(v.string()),
  reserved: texts,
  options: texts,
  /** It is being looked at whether the pool is empty; nobody may take an address meanwhile. */
  releasing: v.optional(v.boolean()),
})
export type PoolRecord = v.InferOutput<typeof poolSchema>

const addressSchema = v.strictObject({
  version: v.literal(1),
  owner: v.string(),
  /** Id of the pool through which it was taken. */
  pool: v.string(),
  purpose: v.picklist(['gateway', 'static', 'dynamic']),
  quarantined: v.optional(v.boolean()),
})
export type AddressRecord = v.InferOutput<typeof addressSchema>

const ulaSchema = v.strictObject({ version: v.literal(1), prefix: v.string() })

/** @throws CnmError ERR_CNM_RECORD_INVALID naming the record */
export const readPoolRecord = (entry: StoreEntry): PoolRecord => read(poolSchema, entry)
/** @throws CnmError ERR_CNM_RECORD_INVALID naming the record */
export const readAddressRecord = (entry: StoreEntry): AddressRecord => read(addressSchema, entry)
/** @throws CnmError ERR_CNM_RECORD_INVALID naming the record */
export const readUlaRecord = (entry: StoreEntry): { prefix: string } => read(ulaSchema, entry)

function read<T>(schema: v.GenericSchema<unknown, T>, { key, value }: StoreEntry): T {
  const result = v.safeParse(schema, value)
  if (result.success) return result.output
  const [issue] = result.issues
  throw new CnmError('ERR_CNM_RECORD_INVALID', `store record ${key}: ${v.getDotPath(issue) ?? 'value'}: ${issue.message}`, { object: key })
}
