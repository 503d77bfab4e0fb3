import { CnmError } from '../../../contracts/errors.js'
import type { PairView } from '../../../contracts/network-driver.js'
import { pairPart } from '../../../contracts/pair-part.js'
import type { StoreEntry } from '../../../contracts/store.js'
import { canonical } from '../../../engine/canonical.js'
import type { Core } from '../../core.js'
import type { Network } from '../../network.js'
import type { Cluster } from '../cluster.js'
import { follow } from '../follow.js'
import { limited } from '../limited.js'
import { lastPart } from '../records.js'
import { Acknowledgement, canReceive } from './acknowledgement.js'
import { DerivedKeys } from './derived-keys.js'
import { IdleSecrets } from './idle-secrets.js'
import { OtherHosts } from './other-hosts.js'
import { OwnRecord } from './own-record.js'
import { hasTakenSpi, pairOf, type Pair } from './pair.js'
import { proveEncryption } from './prove.js'
import { ackKey, ENCRYPTION, isSenderKey, readSender, senderKey } from './records.js'

/** What is missing is told every second; it is answered no faster than this. */
const LOST_AGAIN_MS = 5_000
/** How long a join waits for what the others have said. */
const READY_LIMIT_MS = 10_000
/** Hosts between two turns of the event loop. */
const AT_ONCE = 10

/**
 * The keys that this host shares with others, while it has networks whose drivers ask for such. Every host has secrets of its
 * own for what it sends, in the store of the cluster; from one of them and both addresses follows the key for one other host.
 *
 * A secret is changed without loss: the new one is told first; each host receives with the old and the new one, and says so;
 * towards those that have said so the new one is used; the old one goes when it is used towards nobody any more.
 */
export class Encryption {
  readonly #cluster: Cluster
  readonly #core: Core
  readonly #lifetime: number
  readonly #own: OwnRecord
  readonly #others = new OtherHosts()
  readonly #pairs = new Map<string, Pair>()
  readonly #views = new Map<Network, Map<string, PairView>>()
  readonly #keys: DerivedKeys
  readonly #acknowledgement: Acknowledgement
  readonly #idle: IdleSecrets
  #following: AbortController | undefined
  #starting: Promise<void> | undefined
  /** The store has been read, and has this host's secrets. */
  #known = false
  /** Every pair has followed. */
  #complete = false
  #leaving: Promise<void> = Promise.resolve()
  #timer: NodeJS.Timeout | undefined
  #canDo = false
  #lost = false
  #closed = false
  #renewed = -LOST_AGAIN_MS

  /** @param lifetime milliseconds after which all hosts change their secrets */
  constructor(cluster: Cluster, core: Core, lifetime: number) {
    this.#cluster = cluster
    this.#core = core
    this.#lifetime = lifetime
    this.#own = new OwnRecord(cluster, () => void this.#told())
    this.#keys = new DerivedKeys(core.keys, core.engine.keyUse)
    this.#acknowledgement = new Acknowledgement(cluster, (applied) => ({ put: ackKey(cluster.node.name), value: { version: 1, applied } }))
    this.#idle = new IdleSecrets((drop) => this.#own.want({ drop }))
  }

  /** The hosts with which a network is shared; undefined for one that is not encrypted, or not here. */
  pairs(network: Network): ReadonlyMap<string, PairView> | undefined {
    return this.#views.get(network)
  }

  /** Whether the pairs of the network are what they should be: until then those that were stay. */
  isKnown(network: Network): boolean {
    return this.#complete || !this.#views.has(network)
  }

  /**
   * A network comes to this host.
   * @throws CnmError ERR_CNM_NOT_SUPPORTED where the kernel cannot encrypt; ERR_CNM_CLUSTER_UNREACHABLE
   */
  async enter(network: Network): Promise<void> {
    if (!isEncrypted(network)) return
    if (!this.#canDo) await proveEncryption(this.#core, network)
    this.#canDo = true
    this.#add(network)
    const isReady = this.#complete || (this.#cluster.inTouch && (await limited(this.#ready(), READY_LIMIT_MS)) !== 'late')
    if (isReady) return
    throw new CnmError('ERR_CNM_CLUSTER_UNREACHABLE', `network ${network.name} is encrypted, and the keys cannot be had`, {
      object: `network ${network.name}`,
    })
  }

  /** A network was here before this controller was opened. */
  resume(network: Network): void {
    if (!isEncrypted(network)) return
    this.#add(network)
    this.#cluster.orLater(() => this.#ready()).catch((error: unknown) => this.#cluster.failed(error))
  }

  leave(network: Network): void {
    const views = this.#views.get(network)
    if (!this.#views.delete(network)) return
    this.#changed(views?.keys() ?? [])
    if (this.#views.size > 0) return
    this.#stop()
    // The next stay begins with secrets of its own.
    this.#leaving = this.#cluster.orLater(() => this.#withdraw()).catch((error: unknown) => this.#cluster.failed(error))
  }

  /** States of ours were not in the kernel as they should be: they are not made again, others take their place. */
  lost(): void {
    if (!this.#known) this.#lost = true
    else if (performance.now() - this.#renewed > LOST_AGAIN_MS) {
      this.#renewed = performance.now()
      this.#own.want({ newLife: true, add: true })
    }
  }

  /** Has all hosts of the cluster that have encrypted networks change their secrets. @throws CnmError ERR_CNM_NOT_SUPPORTED */
  async rotate(): Promise<void> {
    if (!this.#known) throw new CnmError('ERR_CNM_NOT_SUPPORTED', 'no encrypted network is in use on this host', { field: 'cluster' })
    this.#own.want({ add: true, round: this.#own.secrets.round + 1 })
    await this.#own.tell()
  }

  /** Other hosts have come to a network, or have gone from it. */
  peersChanged(network: Network, nodes: Iterable<string>): void {
    if (this.#views.has(network)) this.#changed(nodes)
  }

  /** Parts of a network have been put into the kernel. */
  applied(): void {
    if (this.#known) this.#acknowledgement.applied()
  }

  /** Makes the store say what is so here. */
  async agree(): Promise<void> {
    if (this.#views.size === 0) return this.#withdraw()
    await this.#ready()
    const { store, node } = this.#cluster
    const entry = await store.get(senderKey(node.name))
    // Where it was taken away, others have forgotten what they had used for this life.
    if (this.#known && canonical(entry?.value ?? null) !== canonical(this.#own.secrets.change({}))) this.#own.want({ newLife: true })
    await this.#own.tell()
    this.#acknowledgement.applied()
  }

  /** What is in the kernel stays. */
  close(): void {
    this.#closed = true
    this.#stop()
  }

  #stop(): void {
    this.#following?.abort()
    this.#following = undefined
    clearTimeout(this.#timer)
    this.#known = this.#complete = false
    for (const part of [this.#idle, this.#acknowledgement, this.#own, this.#others, this.#pairs]) part.clear()
  }

  async #withdraw(): Promise<void> {
    const { store, node } = this.#cluster
    const own = [senderKey(node.name), ackKey(node.name)]
    const found = await Promise.all(own.map((key) => store.get(key)))
    if (this.#views.size === 0 && found.some((entry) => entry !== undefined)) await store.commit(own.map((key) => ({ delete: key })))
  }

  #add(network: Network): void {
    this.#views.set(network, new Map())
    this.#changed(this.#nodesOf(network).keys())
  }

  /** Has heard what others say, and has told what others need. */
  async #ready(): Promise<void> {
    while (!this.#complete && !this.#closed && this.#views.size > 0)
      await (this.#starting ??= this.#start().finally(() => (this.#starting = undefined)))
  }

  async #start(): Promise<void> {
    await this.#leaving
    const following = await this.#hear()
    if (following.signal.aborted) return
    const { secrets } = this.#own
    if (secrets.life === undefined || this.#lost) {
      this.#own.want({ newLife: this.#lost, add: true, round: Math.max(secrets.round, this.#others.round) })
      await this.#own.tell()
      this.#lost = false
    }
    if (following.signal.aborted) return
    this.#known = true
    await this.#told()
    if (following.signal.aborted) return
    this.#complete = true
    for (const { id } of this.#views.keys()) this.#core.redescriptions.changed(id)
  }

  /** What the store has now, and from then on. */
  async #hear(): Promise<AbortController> {
    if (this.#following !== undefined) return this.#following
    const following = new AbortController()
    const failed = (error: unknown): void => this.#cluster.failed(error)
    this.#following = following
    const follower = { put: (entry: StoreEntry) => this.#put(entry), deleted: (key: string) => this.#delete(key), failed }
    try {
      await follow(this.#cluster.store, ENCRYPTION, following.signal, follower)
      return following
    } catch (error) {
      this.#following = undefined
      throw error
    }
  }

  #put(entry: StoreEntry): void {
    const node = lastPart(entry.key)
    const { secrets } = this.#own
    if (node === this.#cluster.node.name) {
      if (isSenderKey(entry.key) && secrets.life === undefined) secrets.take(readSender(entry))
      return
    }
    this.#others.put(entry)
    const round = this.#others.record(node)?.round ?? 0
    if (this.#known && round > secrets.round) this.#own.want({ add: true, round })
    this.#changed([node])
  }

  #delete(key: string): void {
    const node = lastPart(key)
    if (node === this.#cluster.node.name) return
    this.#others.delete(key)
    if (isSenderKey(key)) this.#keys.forget(node)
    this.#changed([node])
  }

  /** The store has secrets of this host that it did not have before. */
  async #told(): Promise<void> {
    clearTimeout(this.#timer)
    if (!this.#known) return
    this.#timer = setTimeout(() => this.#own.want({ add: true, round: this.#own.secrets.round + 1 }), this.#lifetime).unref()
    const nodes = new Set(this.#pairs.keys())
    for (const network of this.#views.keys()) for (const node of this.#nodesOf(network).keys()) nodes.add(node)
    let count = 0
    for (const node of nodes) {
      this.#update(node)
      if (++count % AT_ONCE === 0) await new Promise(setImmediate)
    }
    this.#judge()
  }

  /** What concerns some hosts has changed. */
  #changed(nodes: Iterable<string>): void {
    // When all of it is known, everything is looked at.
    if (!this.#known) return
    for (const node of nodes) this.#update(node)
    this.#judge()
  }

  #judge(): void {
    const ids = this.#own.secrets.list.map(({ id }) => id)
    const sending = [...this.#pairs.values()].map((pair) => pair.sending)
    this.#idle.judge(ids, sending)
  }

  #update(node: string): void {
    const pair = this.#compute(node)
    if (pair === undefined) this.#pairs.delete(node)
    else this.#pairs.set(node, pair)
    for (const [network, views] of this.#views) {
      const view = this.#nodesOf(network).has(node) ? pair?.view : undefined
      if (canonical(views.get(node) ?? null) === canonical(view ?? null)) continue
      if (view === undefined) views.delete(node)
      else views.set(node, view)
      this.#core.redescriptions.changed(network.id, pairPart(node))
    }
    this.#acknowledgement.expect(node, () => canReceive(this.#views, node), pair && this.#others.version(node))
    if (pair !== undefined && pair.sending === undefined) this.#own.want({ add: true })
    if (pair !== undefined && hasTakenSpi(pair, node, this.#pairs)) this.#own.want({ newLife: true })
  }

  #compute(node: string): Pair | undefined {
    const other = this.#others.record(node)
    const there = this.#cluster.nodes.present(node)
    const isNeeded = [...this.#views.keys()].some((network) => this.#nodesOf(network).has(node))
    const { life, list: own } = this.#own.secrets
    if (!isNeeded || other === undefined || there === undefined || life === undefined) return undefined
    const { address } = this.#cluster.node
    const acknowledged = this.#others.acknowledged(node)
    return this.#keys.during(node, (keys) => pairOf({ node: there, address, life, own, other, acknowledged }, keys))
  }

  #nodesOf(network: Network): ReadonlyMap<string, number> {
    return this.#cluster.peers(network)?.nodes ?? new Map<string, number>()
  }
}

const isEncrypted = (network: Network): boolean => network.guardedDriver.pairKeys(network.view())
