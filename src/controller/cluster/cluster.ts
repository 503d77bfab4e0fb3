import { randomUUID } from 'node:crypto'
import { SocketAddress } from 'node:net'
import { CnmError } from '../../contracts/errors.js'
import type { IpamDriver } from '../../contracts/ipam-driver.js'
import type { NetworkView, NodeView } from '../../contracts/network-driver.js'
import type { ClusterStore, Held } from '../../contracts/store.js'
import type { Core } from '../core.js'
import type { Network } from '../network.js'
import { agreeOnWriters } from '../volumes/recover-volumes.js'
import { Encryption } from './encryption/encryption.js'
import { ClusterEndpoints } from './endpoints.js'
import { follow, isConflict, isUnreachable, whenReachable } from './follow.js'
import { finishRemovals, settleCreations } from './interrupted.js'
import { limited } from './limited.js'
import { ClusterNetworks } from './networks.js'
import type { NodeOptions } from './node-options.js'
import { Nodes } from './nodes.js'
import { Peers } from './peers.js'
import { ALIVE, aliveKey, NETWORKS, nodeKey, NODES, type NodeRecord } from './records.js'

/** How long an opening controller waits for the cluster before it goes on without. */
const START_LIMIT_MS = 5_000
const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 30_000

/** What a controller has to do with its cluster: this host in it, its networks, its endpoints, and those of others. */
export class Cluster {
  readonly store: ClusterStore
  readonly node: NodeView
  readonly nodes: Nodes
  readonly ipam: ReadonlyMap<string, IpamDriver>
  readonly endpoints: ClusterEndpoints
  readonly networks: ClusterNetworks
  readonly encryption: Encryption
  /** Ids of networks and endpoints that are being made here: known to the store before they are objects. */
  readonly making = new Set<string>()
  readonly #core: Core
  readonly #lease: number
  readonly #peers = new Map<string, Peers>()
  readonly #ending = new AbortController()
  #held: Held | undefined
  #inTouch = false
  #agreeing: Promise<void> | undefined
  #again = false
  #retry: NodeJS.Timeout | undefined
  #pause = FIRST_RETRY_MS
  #registered = false

  constructor(core: Core, store: ClusterStore, options: NodeOptions, ipam: readonly IpamDriver[], nodes?: Nodes) {
    const { name, address, lease = 10, grace = 10, keyLifetime = 43_200 } = options
    this.store = store
    // As the kernel writes it, with which it is compared.
    this.node = { name, address: new SocketAddress({ address, family: address.includes(':') ? 'ipv6' : 'ipv4' }).address }
    this.ipam = new Map(ipam.map((driver) => [driver.name, driver]))
    this.#core = core
    this.#lease = lease
    this.nodes = nodes ?? new Nodes(grace * 1000, (changed) => this.#nodeChanged(changed))
    this.endpoints = new ClusterEndpoints(this, core)
    this.networks = new ClusterNetworks(this, core)
    this.encryption = new Encryption(this, core, keyLifetime * 1000)
  }

  /**
   * The same for work that is only tried out.
   * @param store what it changes is nobody's business
   */
  trial(core: Core, store: ClusterStore, ipam: readonly IpamDriver[]): Cluster {
    const trial = new Cluster(core, store, this.node, ipam, this.nodes)
    trial.#inTouch = this.#inTouch
    return trial
  }

  endTrial(): void {
    this.#ending.abort()
    this.encryption.close()
    for (const peers of this.#peers.values()) peers.close()
  }

  /** The store has been heard of lately. */
  get inTouch(): boolean {
    return this.#inTouch
  }

  /** Whether a host that is known has given no sign of life for its lease and the grace, as far as this one is in touch itself. */
  isDown(node: string): boolean {
    return this.#inTouch && this.nodes.list().some(({ name, state }) => name === node && state === 'down')
  }

  /**
   * Joins the cluster. When it cannot be reached within some seconds, that goes on in the background.
   * @throws CnmError ERR_CNM_NODE_EXISTS when another host has the name
   */
  async start(): Promise<void> {
    this.store.onContact((inTouch) => this.#contact(inTouch))
    const started = this.#start()
    if ((await limited(started, START_LIMIT_MS)) !== 'late') return
    this.warn('the cluster cannot be reached: networks of the cluster are as this host last knew them')
    started.catch((error: unknown) => this.failed(error))
  }

  async #start(): Promise<void> {
    const { signal } = this.#ending
    const failed = (error: unknown): void => this.failed(error)
    const nodes = { put: this.nodes.put.bind(this.nodes), deleted: this.nodes.deleted.bind(this.nodes), failed }
    const networks = { put: this.networks.put.bind(this.networks), deleted: this.networks.deleted.bind(this.networks), failed }
    await whenReachable(signal, () => this.#register())
    if (signal.aborted) return
    this.#registered = true
    await Promise.all([follow(this.store, NODES, signal, nodes), follow(this.store, ALIVE, signal, nodes)])
    this.#resume()
    await follow(this.store, NETWORKS, signal, networks)
    this.networks.dropAbsent()
    await this.networks.settled()
    this.#contact(true)
    await this.agree()
  }

  /** Follows networks that were here before; when the hosts are known, so that nobody is taken for gone who is not. */
  #resume(): void {
    for (const network of this.#core.networks) {
      if (network.users.size === 0) continue
      this.#follow(network)
      this.encryption.resume(network)
    }
  }

  /** Says that this host is there, and where. */
  async #register(): Promise<void> {
    const id = await this.#identity()
    this.#held ??= await this.#hold(id)
    await this.#say(id, false)
  }

  async #hold(id: string): Promise<Held> {
    const { name } = this.node
    try {
      return await this.store.hold(aliveKey(name), id, { seconds: this.#lease, lost: () => this.failed(nameTaken(name)) })
    } catch (error) {
      throw isConflict(error) ? nameTaken(name, error) : error
    }
  }

  async #say(id: string, closed: boolean): Promise<void> {
    const record: NodeRecord = { version: 1, id, address: this.node.address, closed }
    await this.store.commit([{ put: nodeKey(this.node.name), value: record }])
  }

  /** Of this instance on this host: another one of the same name is somebody else. */
  async #identity(): Promise<string> {
    const known = await this.#core.store.get('node-id')
    if (typeof known?.value === 'string') return known.value
    const id = randomUUID()
    await this.#core.store.commit([{ put: 'node-id', value: id }])
    return id
  }

  #contact(inTouch: boolean): void {
    if (this.#inTouch === inTouch || this.#ending.signal.aborted) return
    this.#inTouch = inTouch
    this.#core.events.emit('cluster:contact', { inTouch })
    if (inTouch && this.#registered) this.#agreeSoon(0)
  }

  /** Brings the store to what is so on this host, as far as it is this host's to say. */
  async agree(): Promise<void> {
    await settleCreations(this, this.#core)
    await this.endpoints.agreeOnAll()
    await finishRemovals(this, this.#core)
    await agreeOnWriters(this.#core)
    await this.encryption.agree()
  }

  #agreeSoon(pause: number): void {
    if (this.#ending.signal.aborted) return
    if (this.#agreeing !== undefined) {
      this.#again = true
      return
    }
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.#agreeing = this.agree()
        .then(() => (this.#pause = FIRST_RETRY_MS))
        .catch((error: unknown) => {
          if (!isUnreachable(error)) this.failed(error)
          this.#again = true
        })
        .then(() => {
          this.#agreeing = undefined
          if (!this.#again) return
          this.#again = false
          this.#pause = Math.min(this.#pause * 2, LONGEST_RETRY_MS)
          this.#agreeSoon(this.#pause)
        })
    }, pause).unref()
  }

  /** Does something that the store has to know; where it cannot be told now, it is when it can be reached again. */
  async orLater(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!isUnreachable(error)) throw error
      this.#agreeSoon(FIRST_RETRY_MS)
    }
  }

  /** What the network has on other hosts; undefined while nothing here is on it. */
  peers(network: Network): Peers | undefined {
    return this.#peers.get(network.id)
  }

  /** What drivers see of the network on other hosts. */
  view(network: Network): Pick<NetworkView, 'peers' | 'pairs'> {
    const [peers, pairs] = [this.peers(network)?.views, this.encryption.pairs(network)]
    return { ...(peers !== undefined && { peers }), ...(pairs !== undefined && { pairs }) }
  }

  /** Whether what is elsewhere has been heard of. */
  isKnown(network: Network): boolean {
    return this.peers(network)?.known === true && this.encryption.isKnown(network)
  }

  /**
   * Begins to follow what the network has elsewhere. Resolves when that is known, or cannot be for now.
   * @throws CnmError ERR_CNM_NOT_SUPPORTED, ERR_CNM_CLUSTER_UNREACHABLE for an encrypted network that cannot be so here
   */
  async enter(network: Network): Promise<void> {
    const peers = this.#follow(network)
    if (this.#inTouch) await limited(peers.started, START_LIMIT_MS)
    await this.encryption.enter(network)
  }

  leave(network: Network): void {
    this.encryption.leave(network)
    this.#peers.get(network.id)?.close()
    this.#peers.delete(network.id)
  }

  #follow(network: Network): Peers {
    const known = this.#peers.get(network.id)
    if (known !== undefined) return known
    const { store, nodes } = this
    const failed = (error: unknown): void => this.failed(error)
    const core = this.#core
    let first = true
    const peers: Peers = new Peers({ store, nodes, own: this.node.name, failed }, network.id, ({ put, removed, nodes }) => {
      core.names.changePeers(network, put, removed)
      this.encryption.peersChanged(network, nodes)
      for (const { id } of put) core.redescriptions.changed(network.id, id)
      for (const id of removed) core.redescriptions.changed(network.id, id)
    })
    this.#peers.set(network.id, peers)
    // What is in the kernel from before and is no longer true is found by looking at all of it.
    void peers.started.then(() => {
      if (first && network.users.size > 0) core.redescriptions.changed(network.id)
      first = false
    }, failed)
    return peers
  }

  #nodeChanged(name: string): void {
    for (const peers of this.#peers.values()) peers.nodeChanged(name)
    const state = this.nodes.state(name)
    if (name !== this.node.name) this.#core.events.emit('node:change', { name, state })
  }

  warn(message: string, about?: string): void {
    this.#core.events.emit('warning', { message, ...(about !== undefined && { about }) })
  }
  failed(error: unknown): void {
    if (!this.#ending.signal.aborted) this.warn(`cluster: ${error instanceof Error ? error.message : String(error)}`)
  }

  /** What runs on this host stays; the others are told that it is not gone. */
  async close(): Promise<void> {
    clearTimeout(this.#retry)
    await this.#agreeing
    clearTimeout(this.#retry)
    this.#ending.abort()
    this.nodes.close()
    this.encryption.close()
    for (const peers of this.#peers.values()) peers.close()
    await this.networks.settled()
    if (this.#registered) await this.#say(await this.#identity(), true).catch(() => undefined)
    await this.#held?.release()
    await this.store.close()
  }
}

const nameTaken = (name: string, cause?: unknown): CnmError =>
  new CnmError('ERR_CNM_NODE_EXISTS', `another host of the cluster is called ${name}`, {
    object: `node ${name}`,
    field: 'node.name',
    cause,
  })
