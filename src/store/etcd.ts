import { CnmError } from '../contracts/errors.js'
import type { ClusterStore, Held, HoldOptions, JsonValue, ListOptions, StoreChange, StoreEntry, StoreEvent } from '../contracts/store.js'
import { checkChanges } from './changes.js'
import { Connection } from './etcd/connection.js'
import { Keyspace } from './etcd/keyspace.js'
import { checkEtcdOptions, type EtcdOptions } from './etcd/options.js'
import { Presence } from './etcd/presence.js'
import { outcome, transaction } from './etcd/transaction.js'
import { Watches } from './etcd/watches.js'
import { encode, rangeAnswer, rangeQuestion, transactionAnswer, type KeyValue } from './etcd/wire.js'
import { checkListOptions } from './list-options.js'

export type { EtcdOptions } from './etcd/options.js'

class EtcdStore implements ClusterStore {
  readonly name = 'etcd'
  readonly scope = 'global'
  readonly #timeout: number
  readonly #keyspace: Keyspace
  readonly #connection: Connection
  readonly #watches: Watches
  readonly #held = new Set<Presence>()
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #listeners = new Set<(inTouch: boolean) => void>()
  #inTouch = false
  #closing: Promise<void> | undefined

  constructor(options: EtcdOptions) {
    const checked = checkEtcdOptions(options)
    this.#timeout = checked.timeout
    this.#keyspace = new Keyspace(checked.prefix)
    this.#connection = new Connection(checked)
    this.#watches = new Watches(this.#connection, this.#keyspace, (inTouch) => this.#contact(inTouch))
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    this.#open()
    const [found] = await this.#range({ key: this.#keyspace.key(key) })
    return found && this.#keyspace.entry(found)
  }

  async list(prefix: string, options: ListOptions = {}): Promise<StoreEntry[]> {
    this.#open()
    const { after, limit } = checkListOptions(options)
    const range = this.#keyspace.range(prefix, after)
    if (range === undefined || limit === 0) return []
    const found = await this.#range({ ...range, ...(limit !== Infinity && { limit }) })
    return found.map((each) => this.#keyspace.entry(each))
  }

  async commit(changes: readonly StoreChange[]): Promise<Map<string, number>> {
    this.#open()
    const checked = checkChanges(changes)
    const request = transaction(this.#keyspace, checked)
    return this.#during(async () => {
      const answer = transactionAnswer(await this.#connection.ask('/etcdserverpb.KV/Txn', request, false))
      const versions = outcome(answer, checked)
      // A deletion of what was not there makes no event.
      this.#watches.committed(answer.revision, [...versions.keys()])
      return versions
    })
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<StoreEvent> {
    this.#open()
    return this.#watches.watch(prefix, signal, false)
  }

  follow(prefix: string, signal: AbortSignal): AsyncIterable<StoreEvent> {
    this.#open()
    return this.#watches.watch(prefix, signal, true)
  }

  async hold(key: string, value: JsonValue, options: HoldOptions): Promise<Held> {
    this.#open()
    const presence = new Presence(this.#connection, this.#keyspace, key, value, options)
    await this.#during(() => presence.take())
    this.#held.add(presence)
    return {
      release: async () => {
        this.#held.delete(presence)
        await presence.release()
      },
    }
  }

  onContact(listener: (inTouch: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.#held].map((presence) => presence.release()))
    await Promise.allSettled(this.#underWay)
    await this.#watches.close()
    this.#connection.close()
  }

  #contact(inTouch: boolean): void {
    if (this.#inTouch === inTouch) return
    this.#inTouch = inTouch
    // A lease may have run out meanwhile: those who think that we are gone shall not think so longer than needed.
    if (inTouch) for (const presence of this.#held) void presence.renew()
    for (const listener of this.#listeners) listener(inTouch)
  }

  async #range(question: { key: Uint8Array; end?: Uint8Array; limit?: number }): Promise<KeyValue[]> {
    const request = encode((writer) => rangeQuestion(writer, question))
    return this.#during(async () => rangeAnswer(await this.#connection.ask('/etcdserverpb.KV/Range', request, true)).found)
  }

  /** Work that a close waits for; what it does is seen by every watch that was begun before. */
  async #during<T>(work: () => Promise<T>): Promise<T> {
    const running = this.#afterStarts().then(work)
    this.#underWay.add(running)
    try {
      return await running
    } finally {
      this.#underWay.delete(running)
    }
  }

  async #afterStarts(): Promise<void> {
    if (!this.#watches.starting) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () =>
          reject(new CnmError('ERR_CNM_CLUSTER_UNREACHABLE', `the cluster's store cannot be reached: no answer in ${this.#timeout} ms`)),
        this.#timeout,
      )
    })
    try {
      await Promise.race([this.#watches.started(), late])
    } finally {
      clearTimeout(timer)
    }
  }

  #open(): void {
    if (this.#closing !== undefined) throw new CnmError('ERR_CNM_CLOSED', 'the store is closed')
  }
}

/**
 * The store of a cluster: etcd 3.4 or newer, over its gRPC interface. The connection is made when it is first needed, and
 * again when it is lost.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT
 */
export const etcd = (options: EtcdOptions): ClusterStore => new EtcdStore(options)
