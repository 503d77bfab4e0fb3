import { CnmError } from '../../contracts/errors.js'
import type { JsonValue, StoreChange } from '../../contracts/store.js'
import { ipamDriver } from '../core.js'
import type { Network } from '../network.js'
import { givePoolsBack } from '../pools.js'
import type { Cluster } from './cluster.js'
import { isConflict } from './follow.js'
import { endpointsKey, networkKey, networkNameKey, numberKey, readDefinition, readPeer } from './records.js'

/** How many endpoints an error names. */
const NAMED = 10

/**
 * Removes a network from the cluster: marks it, so that nobody makes an endpoint on it any more, looks whether it has any,
 * and then takes its addresses, numbers and record away. The caller holds the network.
 * @throws CnmError ERR_CNM_NETWORK_IN_USE naming endpoints and their hosts, ERR_CNM_CLUSTER_UNREACHABLE
 */
export async function deleteGlobal(cluster: Cluster, network: Network): Promise<void> {
  const { store, node } = cluster
  const key = networkKey(network.id)
  const entry = await store.get(key)
  if (entry === undefined) return
  const marked = { ...(entry.value as Record<string, JsonValue>), deleting: node.name }
  const version = (await changed(network, () => store.commit([{ put: key, value: marked, expect: entry.version }]))).get(key)!
  const members = await store.list(endpointsKey(network.id), { limit: NAMED })
  if (members.length === 0) return removeDefinition(cluster, network, version)
  await store.commit([{ put: key, value: { version: 1, record: readDefinition(entry).record as never }, expect: version }])
  const names = members.map((member) => readPeer(member)).map((peer) => `${peer.name} (on ${peer.node})`)
  throw new CnmError('ERR_CNM_NETWORK_IN_USE', `network ${network.name} has endpoints: ${names.join(', ')}`, {
    object: `network ${network.name}`,
  })
}

/** What follows when a network has been marked and has no endpoints. Can be done again. */
export async function removeDefinition(cluster: Cluster, network: Network, version: number): Promise<void> {
  const { core, record, guardedDriver } = network
  await guardedDriver.afterDelete(network.view())
  if (guardedDriver.capabilities.addresses) await givePoolsBack(ipamDriver(core, record.ipamDriver, 'global'), record.id, record.pools)
  const numbers = Object.entries(guardedDriver.numbers(network.view())).flatMap(([name, { kind }]) =>
    (record.numbers?.[name] ?? []).map((number): StoreChange => ({ delete: numberKey(kind, number) })),
  )
  const changes: StoreChange[] = [{ delete: networkKey(network.id), expect: version }, { delete: networkNameKey(record.name) }, ...numbers]
  await changed(network, () => cluster.store.commit(changes))
}

async function changed<T>(network: Network, commit: () => Promise<T>): Promise<T> {
  try {
    return await commit()
  } catch (error) {
    if (!isConflict(error)) throw error
    throw new CnmError('ERR_CNM_NETWORK_NOT_FOUND', `network ${network.name} is being removed by another host`, {
      object: `network ${network.name}`,
      cause: error,
    })
  }
}
