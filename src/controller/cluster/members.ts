import { namesOf } from '../endpoint-names.js'
import type { Network } from '../network.js'
import { clusterOf } from './network-create.js'
import { endpointsKey, lastPart, readPeer } from './records.js'

/** An endpoint of a network, on whatever host. */
export interface NetworkMember {
  id: string
  name: string
  /** The host that it is on; absent on a network of one host. */
  node?: string
  mac: string
  /** With prefix length. */
  addresses: string[]
  /** It is in a sandbox, and carries traffic. */
  joined: boolean
  /** Under which others find it, its own first; none while it is not joined. */
  names: string[]
}

/** Every endpoint of a network: those of a network of the cluster as the cluster's store has them. */
export async function membersOf(network: Network): Promise<NetworkMember[]> {
  if (network.scope === 'local')
    return network.endpoints.map(({ id, name, mac, addresses, record, sandbox }) => {
      const joined = sandbox !== undefined
      return { id, name, mac, addresses, joined, names: joined && network.hasNames ? namesOf(record, sandbox) : [] }
    })
  const { store } = clusterOf(network.core, `driver ${network.driver}`)
  return (await store.list(endpointsKey(network.id))).map((entry) => {
    const { name, node, mac, addresses, joined, names } = readPeer(entry)
    return { id: lastPart(entry.key), name, node, mac, addresses: addresses.map(({ address }) => address), joined, names }
  })
}
