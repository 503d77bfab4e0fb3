import { Address4, Address6 } from 'ip-address'
import { CnmError } from '../contracts/errors.js'
import type { AddressRequest, IpamDriver, Lease, PreparedChange } from '../contracts/ipam-driver.js'
import type { EndpointAddressRecord, EndpointLeaseRecord, PoolRecord } from '../contracts/records.js'
import type { StoreChange } from '../contracts/store.js'
import { ipamDriver, recordKey, type Core } from './core.js'
import type { Endpoint } from './endpoint.js'
import type { Network } from './network.js'
import { isGone, tolerant, withoutPrefix } from './pools.js'
import type { Undo } from './undo.js'

/** Whether an address lies in a subnet. Both in text; an address of the other family does not. */
export function contains(subnet: string, address: string): boolean {
  if (subnet.includes(':') !== address.includes(':')) return false
  return subnet.includes(':')
    ? new Address6(address).isInSubnet(new Address6(subnet))
    : new Address4(address).isInSubnet(new Address4(subnet))
}

/** Addresses that an endpoint is about to have, and what must be committed with its record for them to be its own. */
export interface PreparedAddresses {
  addresses: EndpointAddressRecord[]
  mac: string
  /** What is to be acquired at join, if the driver's addresses are leases. */
  leases?: EndpointLeaseRecord[]
  changes: StoreChange[]
  committed(): void
}

/**
 * One address of each family (or the static ones asked for). Drivers that can give them in the commit of the endpoint's
 * record do: then there is no moment in which an address has no owner.
 */
export async function prepareAddresses(
  network: Network,
  owner: string,
  request: { name: string; mac: string; macOf?: (address: string) => string; addresses: readonly string[] },
  undo: Undo,
): Promise<PreparedAddresses> {
  const { core, record } = network
  const assigned = assign(network.name, record.pools, request.addresses)
  const prepared: PreparedAddresses = { addresses: [], mac: request.mac, changes: [], committed: () => undefined }
  if (record.pools.length === 0) return prepared
  const ipam = ipamDriver(core, record.ipamDriver, network.scope)
  const inCommit = core.sharesStore(ipam)
  for (const { pool, address } of assigned) {
    const wanted: AddressRequest = { pool: pool.id, owner, purpose: 'endpoint', address, mac: prepared.mac, name: request.name }
    const lease = inCommit ? await prepareOne(ipam, wanted, prepared, undo) : await takeOne(ipam, wanted, undo)
    if (ipam.capabilities?.leases) {
      const { gateway, expires, data } = lease
      const held = { pool: pool.id, family: pool.family, static: address !== undefined, address: lease.address, gateway, expires, data }
      prepared.leases = [...(prepared.leases ?? []), held]
      continue
    }
    if (lease.address === '') continue
    if (prepared.addresses.length === 0) prepared.mac = request.macOf?.(withoutPrefix(lease.address)) ?? request.mac
    const gateway = pool.gateway ?? lease.gateway
    prepared.addresses.push({ pool: pool.id, address: lease.address, family: pool.family, gateway, static: address !== undefined })
  }
  return prepared
}

async function takeOne(ipam: IpamDriver, request: AddressRequest, undo: Undo): Promise<Lease> {
  const lease = await ipam.requestAddress(request)
  undo.push(() => ipam.releaseAddress(request.pool, withoutPrefix(lease.address), request.owner))
  return lease
}

async function prepareOne(ipam: IpamDriver, request: AddressRequest, prepared: PreparedAddresses, undo: Undo): Promise<Lease> {
  const change = await ipam.prepareAddress!(request)
  let isCommitted = false
  // Once committed it is taken back with the endpoint's record.
  undo.push(() => (isCommitted ? undefined : change.abandoned()))
  prepared.changes.push(...change.changes)
  const { committed } = prepared
  prepared.committed = () => {
    committed()
    change.committed()
    isCommitted = true
  }
  return change.lease
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

/** Forgets an endpoint: its record and its addresses, in one commit where the IPAM driver can. */
export async function forgetEndpoints(core: Core, endpoints: readonly Endpoint[], others: readonly StoreChange[] = []): Promise<void> {
  const changes: StoreChange[] = [...others, ...endpoints.map(({ record }) => ({ delete: recordKey(record) })), ...unusedCopies(endpoints)]
  const releases: PreparedChange[] = []
  try {
    for (const { id, network, record, unclean } of endpoints) {
      if (unclean) continue
      const given = record.leases ?? record.addresses
      // What the cluster has of it goes with its record there.
      if (given.length === 0 || network.scope === 'global') continue
      const ipam = ipamDriver(core, network.record.ipamDriver, network.scope)
      for (const { pool, address } of given) {
        const release = await prepareRelease(core, ipam, pool, withoutPrefix(address), id)
        if (release !== undefined) releases.push(release)
      }
    }
    await core.store.commit([...changes, ...releases.flatMap((release) => release.changes)])
  } catch (error) {
    for (const release of releases) release.abandoned()
    throw error
  }
  for (const release of releases) release.committed()
  for (const { network, record } of endpoints) if (network.scope === 'global') await core.cluster?.endpoints.withdraw(network, record)
}

/** Of a network of the cluster this host keeps a copy as long as it has endpoints on it. */
function unusedCopies(endpoints: readonly Endpoint[]): StoreChange[] {
  const going = new Map<Network, number>()
  for (const { network } of endpoints) if (network.scope === 'global') going.set(network, (going.get(network) ?? 0) + 1)
  const unused = [...going].filter(([network, count]) => network.endpointsByName.size === count)
  return unused.map(([network]) => ({ delete: recordKey(network.record) }))
}

async function prepareRelease(
  core: Core,
  ipam: IpamDriver,
  pool: string,
  address: string,
  owner: string,
): Promise<PreparedChange | undefined> {
  if (!core.sharesStore(ipam)) {
    await tolerant(ipam.releaseAddress(pool, address, owner))
    return undefined
  }
  try {
    return await ipam.prepareRelease!(pool, address, owner)
  } catch (error) {
    if (isGone(error)) return undefined
    throw error
  }
}
