import { TrialStore } from '../../store/trial.js'
import { clusterIpam } from '../built-in.js'
import type { Core } from '../core.js'
import { Network } from '../network.js'
import type { Cluster } from './cluster.js'

/** The cluster as a copy of the controller sees it: what the copy changes stays with it. */
export async function trialOf(cluster: Cluster, shadow: Core): Promise<Cluster> {
  const store = new TrialStore(cluster.store)
  return cluster.trial(shadow, store, await clusterIpam(store))
}

/** The networks of the cluster that the copy's own store does not have; and what is elsewhere on those that are in use here. */
export async function takeNetworks(core: Core, shadow: Core): Promise<void> {
  for (const { id, record, scope, guardedDriver, driverOptions } of core.networks) {
    if (scope !== 'global') continue
    if (shadow.networks.find(id) === undefined) shadow.networks.add(new Network(shadow, record, guardedDriver, driverOptions))
    const network = shadow.networks.get(id)
    if (network.users.size > 0) await shadow.cluster?.enter(network)
  }
}
