import { Address4, Address6 } from 'ip-address'
import { CnmError } from '../contracts/errors.js'
import type { Lease } from '../contracts/ipam-driver.js'
import type { EndpointAddressRecord, PoolRecord } from '../contracts/records.js'
import { ipamDriver, type Core } from './core.js'
import type { Network } from './network.js'
import { tolerant, withoutPrefix } from './pools.js'
import type { Undo } from './undo.js'

/** Whether an address lies in a subnet. Both in text; an address of the other family does not. */
export function contains(subnet: string, address: string): boolean {
  if (subnet.includes(':') !== address.includes(':')) return false
  return subnet.includes(':')
    ? new Address6(address).isInSubnet(new Address6(subnet))
    : new Address4(address).isInSubnet(new Address4(subnet))
}

/** One address of each family (or the static ones asked for), with their undo. */
export async function takeAddresses(
  network: Network,
  owner: string,
  request: { name: string; mac: string; addresses: readonly string[] },
  undo: Undo,
): Promise<EndpointAddressRecord[]> {
  const { core, record } = network
  const assigned = assign(network.name, record.pools, request.addresses)
  const taken: EndpointAddressRecord[] = []
  if (record.pools.length === 0) return taken
  const ipam = ipamDriver(core, record.ipamDriver)
  for (const { pool, address } of assigned) {
    const lease: Lease = await ipam.requestAddress({
      pool: pool.id,
      owner,
      purpose: 'endpoint',
      address,
      mac: request.mac,
      name: request.name,
    })
    undo.push(() => ipam.releaseAddress(pool.id, withoutPrefix(lease.address), owner))
    if (lease.address === '') continue
    taken.push({
      pool: pool.id,
      address: lease.address,
      family: pool.family,
      gateway: pool.gateway ?? lease.gateway,
      static: address !== undefined,
    })
  }
  return taken
}

/** Static addresses go to their subnets; each family without one gets a dynamic address from its first subnet. */
function assign(name: string, pools: readonly PoolRecord[], addresses: readonly string[]): { pool: PoolRecord; address?: string }[] {
  const assigned: { pool: PoolRecord; address?: string }[] = []
  for (const address of addresses) {
    const pool = pools.find(({ subnet }) => contains(subnet, address))
    if (pool === undefined) {
      const subnets = pools.map(({ subnet }) => subnet).join(', ') || 'none'
      throw new CnmError('ERR_CNM_ADDRESS_OUT_OF_RANGE', `addresses: ${address} is in no subnet of network ${name} (${subnets})`, {
        field: 'addresses',
      })
    }
    if (assigned.some((other) => other.pool === pool)) {
      throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `addresses: two addresses of ${pool.subnet}`, { field: 'addresses' })
    }
    assigned.push({ pool, address })
  }
  for (const family of [4, 6] as const) {
    if (assigned.some(({ pool }) => pool.family === family)) continue
    const pool = pools.find((candidate) => candidate.family === family)
    if (pool !== undefined) assigned.push({ pool })
  }
  return assigned
}

export async function giveAddressesBack(
  core: Core,
  ipamName: string,
  owner: string,
  addresses: readonly EndpointAddressRecord[],
): Promise<void> {
  if (addresses.length === 0) return
  const ipam = ipamDriver(core, ipamName)
  await Promise.all(addresses.map(({ pool, address }) => tolerant(ipam.releaseAddress(pool, withoutPrefix(address), owner))))
}
