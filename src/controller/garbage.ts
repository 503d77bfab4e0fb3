import type { FirewallObject } from '../contracts/firewall.js'
import type { IpamDriver, Lease } from '../contracts/ipam-driver.js'
import type { KernelObject } from '../contracts/kernel-objects.js'
import type { Operation } from '../contracts/operations.js'
import { identity } from '../engine/identity.js'
import { order } from '../engine/order.js'
import { ipamDriver, type Core } from './core.js'
import { RUN_DIRECTORY } from './environment.js'
import { NAMESPACE_DIRECTORY } from './places.js'
import { ipsecObjects } from './ipsec-objects.js'
import type { Kernel } from '../kernel/index.js'
import { isGone, tolerant, withoutPrefix } from './pools.js'

/** What belongs to nobody, found and removed. */
export interface Garbage {
  /** Kernel objects, by identity. */
  objects: string[]
  /** Addresses that no endpoint has. */
  addresses: string[]
  /** Subnets that no network has. */
  pools: string[]
}

/** What could not be removed, and why. */
export interface CollectFailure {
  /** `sandbox box`, `/run/netns/cnm-0123456789ab namespace`. */
  object: string
  reason: string
}

/**
 * Removes what carries the instance's name but belongs to no record. What is being made while it looks has no record
 * yet: only what has none either when that has ended is nobody's. Goes on after failures.
 */
export async function collectGarbage(core: Core, failures: CollectFailure[]): Promise<Garbage> {
  const attempt = (what: string, work: () => Promise<string[]>): Promise<string[]> =>
    work().catch((error: unknown) => {
      failures.push(failureOf(what, error))
      return []
    })
  const objects = await attempt('objects', () => removeOrphans(core, failures))
  await attempt('environments', () => dropEnvironments(core))
  const addresses = await attempt('addresses', () => releaseOrphanedLeases(core))
  return { objects, addresses, pools: await attempt('subnets', () => releaseOrphanedPools(core)) }
}

async function removeOrphans(core: Core, failures: CollectFailure[]): Promise<string[]> {
  const suspects = await findOrphans(core)
  if (suspects.length === 0) return []
  await core.serial.idle()
  const still = new Set((await findOrphans(core)).map(identity))
  const orphans = suspects.filter((object) => still.has(identity(object)))
  return removeEach(core.kernel, orphans, failures)
}

/** In one transaction, or, when that fails, as many as possible. Returns what went. */
export async function removeEach(kernel: Kernel, objects: readonly KernelObject[], failures: CollectFailure[]): Promise<string[]> {
  if (objects.length === 0) return []
  const operations = order(objects.map((object): Operation => ({ do: 'delete', object, missing: 'ignore' })))
  try {
    await kernel.transaction(operations)
    return objects.map(identity)
  } catch (error) {
    const [only, ...others] = objects
    if (others.length > 0) return (await Promise.all(objects.map((object) => removeEach(kernel, [object], failures)))).flat()
    failures.push(failureOf(identity(only!), error))
    return []
  }
}

export const failureOf = (object: string, error: unknown): CollectFailure => ({
  object,
  reason: error instanceof Error ? error.message : String(error),
})

/** Links with our alias, namespaces with our prefix, what is in our firewall tables, IPsec of ours. */
async function findOrphans(core: Core): Promise<KernelObject[]> {
  const { instance, engine, kernel } = core
  const tables = (['inet', 'bridge'] as const).map((family) => `${family} ${instance}`)
  const kinds = ['link', 'nft-table', 'nft-chain', 'nft-set', 'nft-element'] as const
  const [[host = []], paths, ipsec] = await Promise.all([
    kernel.read([{ at: 'host', kinds: [...kinds], sysctls: [], tables }]),
    kernel.namespaces(`${NAMESPACE_DIRECTORY}/${instance}-`),
    ipsecObjects(kernel, instance),
  ])
  const ours = host.filter((object) =>
    object.kind === 'link' ? object.alias?.startsWith(`libcnm:${instance}:`) : !isOfUser(object as FirewallObject),
  )
  const spaces = paths.map((at): KernelObject => ({ kind: 'namespace', at }))
  return [...ours, ...spaces, ...ipsec].filter((object) => !engine.wanted.has(identity(object)))
}

/** Sets and chains of our tables with such names are for users to fill, or their own. */
const USER_PREFIX = 'user-'
const isOfUser = (object: FirewallObject): boolean => ('set' in object ? object.set : object).name.startsWith(USER_PREFIX)

/** What programs of sandboxes that are gone had for themselves. */
async function dropEnvironments(core: Core): Promise<string[]> {
  const folders = await core.kernel.namespaces(`${RUN_DIRECTORY}/${core.instance}/`)
  const known = new Set(core.sandboxes.list().map(({ environment }) => environment.directory))
  const unknown = folders.filter((folder) => !known.has(folder))
  for (const folder of unknown) await core.kernel.dropEnvironment(folder)
  return unknown
}

/** A creation that ended between taking a subnet and writing the network's record. Other hosts' pools are not ours to judge. */
async function releaseOrphanedPools(core: Core): Promise<string[]> {
  const freed: string[] = []
  for (const ipam of core.ipam.values()) {
    for (const { id, space, owner, subnet } of (await ipam.pools?.()) ?? []) {
      if (space !== 'local' || (await isRecorded(core, () => core.networks.find(owner) !== undefined))) continue
      for (const lease of await leasesOf(ipam, id)) await tolerant(ipam.releaseAddress(id, withoutPrefix(lease.address), lease.owner))
      await tolerant(ipam.releasePool(id))
      freed.push(subnet)
    }
  }
  return freed
}

/** None of a pool that is gone meanwhile. */
async function leasesOf(ipam: IpamDriver, pool: string): Promise<Lease[]> {
  try {
    return (await ipam.leases?.(pool)) ?? []
  } catch (error) {
    if (isGone(error)) return []
    throw error
  }
}

/** Whether its owner is known, or becomes so when what is under way has ended. */
async function isRecorded({ serial }: Core, known: () => boolean): Promise<boolean> {
  if (known()) return true
  await serial.idle()
  return known()
}

async function releaseOrphanedLeases(core: Core): Promise<string[]> {
  const freed: string[] = []
  for (const { record, scope } of core.networks) {
    // Of those that hosts share, each host looks after its own endpoints.
    if (record.pools.length === 0 || scope === 'global') continue
    const ipam = ipamDriver(core, record.ipamDriver, scope)
    for (const pool of record.pools) {
      for (const lease of await leasesOf(ipam, pool.id)) {
        if (lease.owner === record.id || (await isRecorded(core, () => core.endpoints.has(lease.owner)))) continue
        await tolerant(ipam.releaseAddress(pool.id, withoutPrefix(lease.address), lease.owner))
        freed.push(lease.address)
      }
    }
  }
  return freed
}
