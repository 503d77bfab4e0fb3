import { Address4, Address6 } from 'ip-address'
import { CnmError } from '../contracts/errors.js'
import type { Lease } from '../contracts/ipam-driver.js'
import type { EndpointRecord, PoolRecord } from '../contracts/records.js'
import { canonical } from '../engine/canonical.js'

/** What a lease means for an endpoint's record. Pure. */

/** The record with what was leased from a pool; without its address when the lease is lost. What was last held is kept, to ask for it again. */
export function withLease(record: EndpointRecord, pools: readonly PoolRecord[], pool: string, lease: Lease | undefined): EndpointRecord {
  const held = record.leases!.find((other) => other.pool === pool)!
  const addresses = record.addresses.filter((other) => other.pool !== pool)
  if (lease === undefined) return { ...record, addresses }
  const { address, gateway, expires, data } = lease
  addresses.push({
    pool,
    address,
    family: held.family,
    gateway: gateway ?? pools.find(({ id }) => id === pool)?.gateway,
    static: held.static,
  })
  const leases = record.leases!.map((other) => (other === held ? { ...held, address, gateway, expires, data } : other))
  return { ...record, addresses, leases }
}

/** The addresses that stay when the endpoint leaves its sandbox. */
export const withoutLeased = ({ addresses, leases = [] }: EndpointRecord): EndpointRecord['addresses'] =>
  addresses.filter(({ pool }) => !leases.some((held) => held.pool === pool))

/** Whether two records differ in nothing that the interface has. */
export const sameConfiguration = (a: EndpointRecord, b: EndpointRecord): boolean => canonical(a.addresses) === canonical(b.addresses)

/** @throws CnmError ERR_CNM_DRIVER_FAILED for what is no lease */
export function checkLease(who: string, family: 4 | 6, lease: Lease): Lease {
  const refuse = (what: string): never => {
    throw new CnmError('ERR_CNM_DRIVER_FAILED', `${who}: not a lease: ${what}`)
  }
  const { address, gateway, expires } = lease ?? {}
  if (typeof address !== 'string' || !isOf(family, address) || !address.includes('/')) refuse(`address ${String(address)}`)
  if (gateway !== undefined && (!isOf(family, gateway) || gateway.includes('/'))) refuse(`gateway ${String(gateway)}`)
  if (expires !== undefined && !Number.isFinite(expires)) refuse(`expires ${String(expires)}`)
  return lease
}

const isOf = (family: 4 | 6, address: string): boolean => (family === 4 ? Address4.isValid(address) : Address6.isValid(address))
