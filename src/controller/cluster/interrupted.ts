import type { Core } from '../core.js'
import { lastPart, networkKey, NETWORKS, readDefinition } from './records.js'
import { tolerant, withoutPrefix } from '../pools.js'
import type { Cluster } from './cluster.js'
import { removeDefinition } from './network-delete.js'

/** In the host's own store: networks of the cluster that it began to make. */
const MAKING = 'making/'

export const noteCreation = (core: Core, id: string): Promise<unknown> => core.store.commit([{ put: MAKING + id, value: null }])

/** The network is there, or nothing of it is. */
export async function settleCreation(cluster: Cluster, core: Core, id: string): Promise<void> {
  if ((await cluster.store.get(networkKey(id))) === undefined) {
    for (const ipam of cluster.ipam.values()) {
      for (const pool of (await ipam.pools?.()) ?? []) {
        if (pool.owner !== id) continue
        for (const { address, owner } of (await ipam.leases?.(pool.id)) ?? [])
          if (owner === id) await tolerant(ipam.releaseAddress(pool.id, withoutPrefix(address), id))
        await tolerant(ipam.releasePool(pool.id))
      }
    }
  }
  await core.store.commit([{ delete: MAKING + id }])
}

/** Creations of networks that a crash interrupted. */
export async function settleCreations(cluster: Cluster, core: Core): Promise<void> {
  for (const { key } of await core.store.list(MAKING)) {
    const id = lastPart(key)
    if (!cluster.making.has(id)) await settleCreation(cluster, core, id)
  }
}

/** Removals of networks that this host began, and that were interrupted. */
export async function finishRemovals(cluster: Cluster, core: Core): Promise<void> {
  for (const network of core.networks.list()) {
    if (network.scope !== 'global' || network.record.phase !== 'deleting') continue
    const entry = await cluster.store.get(networkKey(network.id))
    if (entry === undefined || readDefinition(entry).deleting !== cluster.node.name) continue
    await core.serial.run([NETWORKS + network.id], () => removeDefinition(cluster, network, entry.version))
  }
}
