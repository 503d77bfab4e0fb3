import { CnmError } from '../../contracts/errors.js'
import { releaseWritersOf } from '../volumes/writer.js'
import type { Cluster } from './cluster.js'
import { ackKey, senderKey } from './encryption/records.js'
import { aliveKey, lastPart, nodeKey, ownedKey } from './records.js'

/**
 * Takes away everything that the cluster has of a host that will not come back: endpoints, addresses, names, write leases, keys.
 * @throws CnmError ERR_CNM_NODE_NOT_FOUND; ERR_CNM_INVALID_ARGUMENT for one that is in touch
 */
export async function forgetNode({ store, endpoints }: Cluster, name: string): Promise<void> {
  const details = { object: `node ${name}`, field: 'name' }
  if ((await store.get(nodeKey(name))) === undefined)
    throw new CnmError('ERR_CNM_NODE_NOT_FOUND', `no host of the cluster is called ${name}`, details)
  if ((await store.get(aliveKey(name))) !== undefined)
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `node ${name} is in touch with the cluster: it is not forgotten`, details)
  for (const { key, value } of await store.list(ownedKey(name))) await endpoints.remove(name, value as string, lastPart(key))
  await releaseWritersOf(store, name)
  await store.commit([nodeKey(name), senderKey(name), ackKey(name)].map((key) => ({ delete: key })))
}
