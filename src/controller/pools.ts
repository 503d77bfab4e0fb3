import { CnmError } from '../contracts/errors.js'
import type { IpamDriver } from '../contracts/ipam-driver.js'
import type { PoolRecord } from '../contracts/records.js'
import type { GuardedDriver } from './guarded-driver.js'
import type { NetworkOptions, SubnetOptions } from './options.js'
import type { Undo } from './undo.js'

export interface PoolsRequest {
  networkId: string
  name: string
  driver: GuardedDriver
  /** The driver's options, parsed. */
  parsed: unknown
  ipam: IpamDriver
  options: Pick<NetworkOptions, 'ipam' | 'internal'>
  ipv4: boolean
  ipv6: boolean
  /** Prefixes that automatic pools must avoid. */
  exclude: string[]
}

const familyOf = (subnet: string): 4 | 6 => (subnet.includes(':') ? 6 : 4)

/** Whether the pools asked for include IPv6. */
export const asksForIPv6 = (pools: readonly SubnetOptions[]): boolean =>
  pools.some(({ subnet, gateway }) => familyOf(subnet ?? gateway ?? '') === 6)

/** Takes the pools of a network, and its gateway addresses; all of it is given back when the creation fails. */
export async function takePools(request: PoolsRequest, undo: Undo): Promise<PoolRecord[]> {
  const wanted = request.options.ipam?.pools ?? []
  const pools: PoolRecord[] = []
  for (const family of [4, 6] as const) {
    if (!(family === 4 ? request.ipv4 : request.ipv6)) continue
    const ofFamily = wanted.filter(({ subnet, gateway }) => familyOf(subnet ?? gateway ?? '') === family)
    if (ofFamily.length > 1 && !request.driver.capabilities.severalSubnets) {
      throw new CnmError(
        'ERR_CNM_INVALID_ARGUMENT',
        `network ${request.name}: driver ${request.driver.name} takes one IPv${family} subnet`,
        {
          field: 'ipam.pools',
        },
      )
    }
    for (const subnet of ofFamily.length === 0 ? [{}] : ofFamily) pools.push(await takePool(request, family, subnet, undo))
  }
  return pools
}

async function takePool(request: PoolsRequest, family: 4 | 6, wanted: SubnetOptions, undo: Undo): Promise<PoolRecord> {
  const { ipam, networkId, options } = request
  const ranges = wanted.range === undefined ? [] : [wanted.range].flat()
  const reserved = { ...wanted.reserved }
  const pool = await ipam.requestPool({
    space: request.driver.capabilities.scope,
    owner: networkId,
    family,
    subnet: wanted.subnet,
    ranges,
    reserved,
    exclude: request.exclude,
    options: options.ipam?.options,
  })
  undo.push(() => ipam.releasePool(pool.id))
  const record: PoolRecord = { id: pool.id, family, subnet: pool.subnet, ranges, reserved }
  if (wantsGateway(request, family, wanted)) {
    const lease = await ipam.requestAddress({
      pool: pool.id,
      owner: networkId,
      purpose: 'gateway',
      address: wanted.gateway ?? pool.gateway,
    })
    undo.push(() => ipam.releaseAddress(pool.id, withoutPrefix(lease.address), networkId))
    record.gateway = withoutPrefix(lease.address)
    record.gatewayAllocated = true
  }
  return record
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT for a gateway where the driver can have none */
function wantsGateway({ driver, parsed, options, name }: PoolsRequest, family: 4 | 6, wanted: SubnetOptions): boolean {
  const rule = driver.wantsGateway(parsed, family, options.internal === true)
  if (rule === 'never' && wanted.gateway !== undefined) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${name}: as it is asked for it has no IPv${family} gateway`, {
      field: 'ipam.pools.gateway',
    })
  }
  return rule === 'always' || wanted.gateway !== undefined
}

/** Gives pools and gateways back; tolerates what is gone already. */
export async function givePoolsBack(ipam: IpamDriver, networkId: string, pools: readonly PoolRecord[]): Promise<void> {
  for (const pool of pools) {
    if (pool.gateway !== undefined && pool.gatewayAllocated) await tolerant(ipam.releaseAddress(pool.id, pool.gateway, networkId))
    await tolerant(ipam.releasePool(pool.id))
  }
}

const GONE = new Set(['ERR_CNM_POOL_NOT_FOUND', 'ERR_CNM_ADDRESS_NOT_FOUND'])

export const isGone = (error: unknown): boolean => error instanceof CnmError && GONE.has(error.code)

export async function tolerant(release: Promise<void>): Promise<void> {
  try {
    await release
  } catch (error) {
    if (!isGone(error)) throw error
  }
}

export const withoutPrefix = (address: string): string => address.slice(0, address.indexOf('/') < 0 ? undefined : address.indexOf('/'))
