import { CnmError } from '../../contracts/errors.js'
import type { EndpointRecord } from '../../contracts/records.js'
import type { JsonValue, StoreChange, StoreEntry } from '../../contracts/store.js'
import { canonical } from '../../engine/canonical.js'
import { contains } from '../addresses.js'
import { ipamDriver, type Core } from '../core.js'
import { namesOf } from '../endpoint-names.js'
import type { Endpoint } from '../endpoint.js'
import type { Network } from '../network.js'
import { tolerant, withoutPrefix } from '../pools.js'
import type { Cluster } from './cluster.js'
import { isConflict } from './follow.js'
import { endpointKey, endpointNameKey, lastPart, networkKey, ownedKey, readDefinition, readPeer, type PeerRecord } from './records.js'

/** The endpoints of this host on networks of the cluster, as its store has them. Nobody else writes their records. */
export class ClusterEndpoints {
  readonly #cluster: Cluster
  readonly #core: Core
  readonly #versions = new Map<string, number>()

  constructor(cluster: Cluster, core: Core) {
    this.#cluster = cluster
    this.#core = core
  }

  /**
   * Takes the endpoint's name; from here on everything that the cluster has of it can be found by its host.
   * @throws CnmError ERR_CNM_ENDPOINT_EXISTS, ERR_CNM_NETWORK_NOT_FOUND, ERR_CNM_CLUSTER_UNREACHABLE
   */
  async claim(network: Network, record: EndpointRecord): Promise<void> {
    const { store, node } = this.#cluster
    const { id, name } = record
    const [key, nameKey] = [endpointKey(network.id, id), endpointNameKey(network.id, name)]
    const changes: StoreChange[] = [
      { check: networkKey(network.id), expect: await this.#definitionVersion(network) },
      { put: key, value: this.#peer(record, network), expect: 'absent' },
      { put: nameKey, value: id, expect: 'absent' },
      { put: ownedKey(node.name) + id, value: network.id },
    ]
    try {
      this.#versions.set(id, (await store.commit(changes)).get(key)!)
    } catch (error) {
      if (!isConflict(error)) throw error
      if (error.object === networkKey(network.id)) throw gone(network)
      throw nameTaken(network, name, error)
    }
  }

  /** Version of a network's definition while nobody is removing it. @throws CnmError ERR_CNM_NETWORK_NOT_FOUND */
  async #definitionVersion(network: Network): Promise<number> {
    const entry = await this.#cluster.store.get(networkKey(network.id))
    if (entry === undefined || readDefinition(entry).deleting !== undefined) throw gone(network)
    return entry.version
  }

  /**
   * Tells the others how the endpoint is now, or is about to be. What cannot be told is told when the cluster can be reached
   * again.
   */
  async publish(endpoint: Endpoint, record = endpoint.record): Promise<void> {
    await this.#cluster.orLater(async () => {
      const key = endpointKey(endpoint.network.id, endpoint.id)
      const value = this.#peer(record, endpoint.network)
      try {
        const versions = await this.#cluster.store.commit([{ put: key, value, expect: this.#versions.get(endpoint.id) ?? 'absent' }])
        this.#versions.set(endpoint.id, versions.get(key)!)
      } catch (error) {
        if (!isConflict(error)) throw error
        await this.agree(endpoint, record)
      }
    })
  }

  /**
   * Makes the store say what is so here, or is about to be: our word counts for what is ours. A new name is taken and the
   * old one let go in the same commit.
   * @throws CnmError ERR_CNM_ENDPOINT_EXISTS when another endpoint has the name, ERR_CNM_CLUSTER_UNREACHABLE
   */
  async agree(endpoint: Endpoint, record = endpoint.record): Promise<void> {
    const { network } = endpoint
    const { store } = this.#cluster
    const key = endpointKey(network.id, record.id)
    for (;;) {
      const entry = await store.get(key)
      if (entry === undefined) {
        await this.#claimAgain(endpoint)
        if (record === endpoint.record) return
        continue
      }
      this.#versions.set(record.id, entry.version)
      const value = this.#peer(record, network)
      if (canonical(entry.value) === canonical(value)) return
      try {
        const changes = [{ put: key, value, expect: entry.version }, ...renaming(network.id, readPeer(entry).name, record)]
        this.#versions.set(record.id, (await store.commit(changes)).get(key)!)
        return
      } catch (error) {
        if (!isConflict(error)) throw error
        if (error.object === endpointNameKey(network.id, record.name)) throw nameTaken(network, record.name, error)
      }
    }
  }

  /** Somebody gave this host up, or the store was put back from a copy: the endpoint is taken again, if it still can be. */
  async #claimAgain({ network, record }: Endpoint): Promise<void> {
    await this.claim(network, record)
    const ipam = ipamDriver(this.#core, network.record.ipamDriver, 'global')
    for (const { pool, address } of record.addresses)
      await ipam.requestAddress({
        pool,
        owner: record.id,
        purpose: 'endpoint',
        address: withoutPrefix(address),
        mac: record.mac,
        name: record.name,
      })
  }

  /** Removes everything that the cluster has of an endpoint of this host. Done again later where it cannot be now. */
  async withdraw(network: Network, record: EndpointRecord): Promise<void> {
    this.#versions.delete(record.id)
    await this.#cluster.orLater(() => this.remove(this.#cluster.node.name, network.id, record.id, record.addresses))
  }

  /**
   * The same for any endpoint, from what the store says of it.
   * @param known its addresses, where the caller knows them
   */
  async remove(node: string, network: string, id: string, known?: EndpointRecord['addresses']): Promise<void> {
    const { store } = this.#cluster
    const [definition, entry] = await Promise.all([store.get(networkKey(network)), store.get(endpointKey(network, id))])
    if (definition !== undefined) await this.#releaseAddresses(definition, known ?? (entry && readPeer(entry).addresses) ?? [], id)
    const changes: StoreChange[] = [{ delete: ownedKey(node) + id }]
    if (entry !== undefined) {
      changes.push({ delete: entry.key, expect: entry.version })
      const name = await store.get(endpointNameKey(network, readPeer(entry).name))
      if (name?.value === id) changes.push({ delete: name.key, expect: name.version })
    }
    try {
      await store.commit(changes)
    } catch (error) {
      if (!isConflict(error)) throw error
      // Another try of ours, of which we did not hear, may have been made.
      await this.remove(node, network, id, known)
    }
  }

  async #releaseAddresses(definition: StoreEntry, known: readonly { address: string }[], id: string): Promise<void> {
    const { record } = readDefinition(definition)
    const ipam = ipamDriver(this.#core, record.ipamDriver, 'global')
    for (const { id: pool, subnet } of record.pools) {
      const mine = known.filter(({ address }) => contains(subnet, withoutPrefix(address)))
      // It never got as far as to have them in its record: they are looked for.
      const held = known.length > 0 ? mine : ((await ipam.leases?.(pool)) ?? []).filter(({ owner }) => owner === id)
      for (const { address } of held) await tolerant(ipam.releaseAddress(pool, withoutPrefix(address), id))
    }
  }

  /** Removes what the store has of this host and the host does not have, and puts right what differs. */
  async agreeOnAll(): Promise<void> {
    const { store, node } = this.#cluster
    const listed = new Set<string>()
    for (const { key, value } of await store.list(ownedKey(node.name))) {
      const id = lastPart(key)
      listed.add(id)
      // One that is being made has no object yet.
      if (this.#core.endpoints.has(id) || this.#cluster.making.has(id)) continue
      await this.remove(node.name, value as string, id)
    }
    for (const endpoint of [...this.#core.endpoints.values()]) {
      if (endpoint.network.scope !== 'global') continue
      try {
        await this.agree(endpoint)
      } catch (error) {
        if (!(error instanceof CnmError) || error.code === 'ERR_CNM_CLUSTER_UNREACHABLE') throw error
        this.#cluster.warn(`endpoint ${endpoint.name}: the cluster does not have it any more: ${error.message}`, endpoint.id)
      }
    }
  }

  #peer(record: EndpointRecord, network: Network): PeerRecord & JsonValue {
    const sandbox = record.sandbox === undefined ? undefined : this.#core.sandboxes.find(record.sandbox)
    return {
      version: 1,
      node: this.#cluster.node.name,
      name: record.name,
      mac: record.mac,
      addresses: record.addresses.map(({ address, family }) => ({ address, family })),
      joined: sandbox !== undefined && record.phase !== 'leaving' && record.phase !== 'deleting',
      names: network.guardedDriver.capabilities.resolver ? namesOf(record, sandbox) : [],
      services: (record.services ?? []).map(({ name, protocol, port }) => ({ name, protocol, port })),
    }
  }
}

const gone = (network: Network): CnmError =>
  new CnmError('ERR_CNM_NETWORK_NOT_FOUND', `network ${network.name} is gone`, { object: `network ${network.name}` })

const nameTaken = (network: Network, name: string, cause: CnmError): CnmError =>
  new CnmError('ERR_CNM_ENDPOINT_EXISTS', `network ${network.name} has an endpoint ${name} already, on another host`, {
    object: `endpoint ${name}`,
    field: 'name',
    cause,
  })

function renaming(network: string, from: string, { id, name }: EndpointRecord): StoreChange[] {
  if (from === name) return []
  return [{ put: endpointNameKey(network, name), value: id, expect: 'absent' }, { delete: endpointNameKey(network, from) }]
}
