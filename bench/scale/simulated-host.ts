import { ipam } from '../../drivers/ipam/index.js'
import type { ClusterStore, IpamDriver } from '../../src/contracts/index.js'
import { follow, isUnreachable } from '../../src/controller/cluster/follow.js'
import { Nodes } from '../../src/controller/cluster/nodes.js'
import { Peers } from '../../src/controller/cluster/peers.js'
import {
  ALIVE,
  aliveKey,
  endpointKey,
  endpointNameKey,
  NETWORKS,
  NODES,
  nodeKey,
  ownedKey,
  readDefinition,
  type Definition,
  type PeerRecord,
} from '../../src/controller/cluster/records.js'
import { etcd } from '../../src/store/etcd.js'

/** An id of 64 digits, like those of networks and endpoints. */
export const idOf = (kind: string, number: number): string => Buffer.from(`${kind}${number}`).toString('hex').padEnd(64, '0')
export const networkId = (number: number): string => idOf('n', number)
export const hostName = (number: number): string => `host${number}`

export interface Told {
  /** The host has heard that another one (or itself) is there. */
  nodeUp(): void
  /** It shows so many endpoints of others more, or fewer. */
  peers(change: number): void
  /** Something was not answered in time. */
  late(): void
  /** An event about endpoints on a network. */
  heard(network: number): void
}

/**
 * What a controller does in its cluster, with the same code, and without a kernel: it tells of itself, follows the hosts,
 * the networks, and the endpoints of those networks that it has joined, and takes addresses from the shared pools.
 */
export class SimulatedHost {
  readonly name: string
  readonly store: ClusterStore
  readonly definitions = new Map<string, Definition>()
  readonly nodes: Nodes
  readonly peers = new Map<number, Peers>()
  readonly #ipam: IpamDriver
  readonly #number: number
  readonly #told: Told
  readonly #shown = new Map<number, number>()
  readonly #ending = new AbortController()

  constructor(number: number, hosts: number, endpoint: string, told: Told) {
    this.#number = number
    this.#told = told
    this.name = hostName(number)
    // All of them share two processors: what would be answered in milliseconds may take long.
    this.store = etcd({ endpoints: [endpoint], timeout: 120_000 })
    this.#ipam = ipam({ store: this.store, order: 'scattered', follow: false })
    const up = new Uint8Array(hosts)
    this.nodes = new Nodes(10_000, (changed) => {
      for (const each of this.peers.values()) each.nodeChanged(changed)
      const index = Number(changed.slice('host'.length))
      if (up[index] === 1 || this.nodes.state(changed) !== 'up' || this.nodes.present(changed) === undefined) return
      up[index] = 1
      told.nodeUp()
    })
  }

  /** @param joined the networks that it is on */
  async start(joined: readonly number[]): Promise<void> {
    const { store, nodes, name } = this
    await store.hold(aliveKey(name), name, { seconds: 3600 })
    const address = `10.200.${this.#number >> 8}.${this.#number & 255}`
    await store.commit([{ put: nodeKey(name), value: { version: 1, id: name, address, closed: false } }])
    const { signal } = this.#ending
    const hosts = { put: nodes.put.bind(nodes), deleted: nodes.deleted.bind(nodes), failed }
    await Promise.all([
      follow(store, NODES, signal, hosts),
      follow(store, ALIVE, signal, hosts),
      follow(store, NETWORKS, signal, {
        put: (entry) => void this.definitions.set(entry.key, readDefinition(entry)),
        deleted: (key) => void this.definitions.delete(key),
        failed,
      }),
    ])
    for (const network of joined) this.#join(network)
    await Promise.all([...this.peers.values()].map(({ started }) => started))
  }

  #join(network: number): void {
    const { store, nodes, name } = this
    this.#shown.set(network, 0)
    const peers: Peers = new Peers({ store, nodes, own: name, failed }, networkId(network), () => {
      this.#told.heard(network)
      const before = this.#shown.get(network)!
      this.#shown.set(network, peers.views.size)
      this.#told.peers(peers.views.size - before)
    })
    this.peers.set(network, peers)
  }

  /** What the cluster sees of an endpoint that is made and joined: name, address, joined. */
  async connect(network: number, pool: string, number: number): Promise<void> {
    const { store, name } = this
    const endpoint = idOf(`e${name}-`, number)
    const record: PeerRecord = {
      version: 1,
      node: name,
      name: `${name}-${number}`,
      mac: '02:00:00:00:00:01',
      addresses: [],
      joined: false,
      names: [],
      services: [],
    }
    const key = endpointKey(networkId(network), endpoint)
    await this.#done(
      () =>
        store.commit([
          { put: key, value: record, expect: 'absent' },
          { put: endpointNameKey(networkId(network), record.name), value: endpoint, expect: 'absent' },
          { put: ownedKey(name) + endpoint, value: networkId(network) },
        ]),
      () => store.get(key),
    )
    const { address } = await this.#done(
      () => this.#ipam.requestAddress({ pool, owner: endpoint, purpose: 'endpoint' }),
      async () => (await this.#ipam.leases!(pool)).find(({ owner }) => owner === endpoint),
    )
    const names = [record.name, endpoint.slice(0, 12)]
    await this.#done(
      () => store.commit([{ put: key, value: { ...record, joined: true, addresses: [{ address, family: 4 }], names } }]),
      async () => undefined,
    )
  }

  /** Where etcd was late it is looked whether it was done all the same; else it is done again. */
  async #done<T>(work: () => Promise<T>, found: () => Promise<T | undefined | object>): Promise<T> {
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (!isUnreachable(error)) throw error
        this.#told.late()
        const already = await found()
        if (already !== undefined) return already as T
      }
    }
  }

  async close(): Promise<void> {
    this.#ending.abort()
    this.nodes.close()
    for (const each of this.peers.values()) each.close()
    await this.store.close()
  }
}

const failed = (error: unknown): void => console.error(error)
