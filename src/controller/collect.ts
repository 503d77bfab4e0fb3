import type { FirewallObject } from '../contracts/firewall.js'
import type { KernelObject } from '../contracts/kernel-objects.js'
import type { Operation } from '../contracts/operations.js'
import { identity } from '../engine/identity.js'
import { order } from '../engine/order.js'
import { ipamDriver, type Core } from './core.js'
import { RUN_DIRECTORY } from './environment.js'
import { NAMESPACE_DIRECTORY } from './places.js'
import { tolerant, withoutPrefix } from './pools.js'

/** What was found that belongs to nobody, and removed. */
export interface Collected {
  /** Kernel objects, by identity. */
  objects: string[]
  /** Addresses that no endpoint has. */
  addresses: string[]
  /** Subnets that no network has. */
  pools: string[]
}

/** Removes what carries the instance's name but belongs to no record. */
export async function collectGarbage(core: Core): Promise<Collected> {
  const orphans = await findOrphans(core)
  if (orphans.length > 0)
    await core.kernel.transaction(order(orphans.map((object): Operation => ({ do: 'delete', object, missing: 'ignore' }))))
  await dropEnvironments(core)
  const addresses = await releaseOrphanedLeases(core)
  return { objects: orphans.map(identity), addresses, pools: await releaseOrphanedPools(core) }
}

/** Links with our alias, namespaces with our prefix, and what is in our firewall tables. */
async function findOrphans(core: Core): Promise<KernelObject[]> {
  const { instance, engine, kernel } = core
  const tables = (['inet', 'bridge'] as const).map((family) => `${family} ${instance}`)
  const wanted = new Set(engine.wanted.identities())
  const kinds = ['link', 'nft-table', 'nft-chain', 'nft-set', 'nft-element'] as const
  const [[host = []], paths] = await Promise.all([
    kernel.read([{ at: 'host', kinds: [...kinds], sysctls: [], tables }]),
    kernel.namespaces(`${NAMESPACE_DIRECTORY}/${instance}-`),
  ])
  const ours = host.filter((object) =>
    object.kind === 'link' ? object.alias?.startsWith(`libcnm:${instance}:`) : !isOfUser(object as FirewallObject),
  )
  const spaces = paths.map((at): KernelObject => ({ kind: 'namespace', at }))
  return [...ours, ...spaces].filter((object) => !wanted.has(identity(object)))
}

/** Sets and chains of our tables with such names are for users to fill, or their own. */
const USER_PREFIX = 'user-'
const isOfUser = (object: FirewallObject): boolean => ('set' in object ? object.set : object).name.startsWith(USER_PREFIX)

/** What programs of sandboxes that are gone had for themselves. */
async function dropEnvironments(core: Core): Promise<void> {
  const known = new Set(core.sandboxes.list().map(({ environment }) => environment.directory))
  for (const folder of await core.kernel.namespaces(`${RUN_DIRECTORY}/${core.instance}/`))
    if (!known.has(folder)) await core.kernel.dropEnvironment(folder)
}

/** A creation that ended between taking a subnet and writing the network's record. Other hosts' pools are not ours to judge. */
async function releaseOrphanedPools(core: Core): Promise<string[]> {
  const freed: string[] = []
  for (const ipam of core.ipam.values()) {
    for (const { id, space, owner, subnet } of (await ipam.pools?.()) ?? []) {
      if (space !== 'local' || core.networks.find(owner) !== undefined) continue
      for (const lease of (await ipam.leases?.(id)) ?? [])
        await tolerant(ipam.releaseAddress(id, withoutPrefix(lease.address), lease.owner))
      await tolerant(ipam.releasePool(id))
      freed.push(subnet)
    }
  }
  return freed
}

async function releaseOrphanedLeases(core: Core): Promise<string[]> {
  const freed: string[] = []
  for (const { record, scope } of core.networks) {
    // Of those that hosts share, each host looks after its own endpoints.
    if (record.pools.length === 0 || scope === 'global') continue
    const ipam = ipamDriver(core, record.ipamDriver, scope)
    for (const pool of record.pools) {
      for (const lease of (await ipam.leases?.(pool.id)) ?? []) {
        if (lease.owner === record.id || core.endpoints.has(lease.owner)) continue
        await tolerant(ipam.releaseAddress(pool.id, withoutPrefix(lease.address), lease.owner))
        freed.push(lease.address)
      }
    }
  }
  return freed
}
