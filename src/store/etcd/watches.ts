import { CnmError } from '../../contracts/errors.js'
import type { StoreEvent } from '../../contracts/store.js'
import type { Connection } from './connection.js'
import type { Call } from './grpc.js'
import type { Keyspace } from './keyspace.js'
import { cancelWatch, createWatch, encode, rangeAnswer, rangeQuestion, watchAnswer, type RangeAnswer, type WatchAnswer } from './wire.js'
import { Watcher } from './watcher.js'

const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5_000

/**
 * All watches of a store on one stream. After a lost connection each goes on from the last revision that it has seen, and
 * skips that; where etcd has compacted it away, the difference to what there is now stands for what was missed. Not from the
 * next one: of the revision to which it has compacted, etcd (3.4 and 3.5; etcd-io/etcd#18089) tells what was written and
 * keeps silent about what was deleted.
 */
export class Watches {
  readonly #connection: Connection
  readonly #keyspace: Keyspace
  readonly #contact: (inTouch: boolean) => void
  readonly #watchers = new Map<number, Watcher>()
  readonly #starting = new Set<Promise<void>>()
  #lastId = 0
  #stream: Call | undefined
  #opening = false
  #pause = FIRST_PAUSE_MS
  #retry: NodeJS.Timeout | undefined
  #closed = false

  constructor(connection: Connection, keyspace: Keyspace, contact: (inTouch: boolean) => void) {
    this.#connection = connection
    this.#keyspace = keyspace
    this.#contact = contact
  }

  /** @param whole begin with what there is */
  watch(prefix: string, signal: AbortSignal, whole: boolean): AsyncIterable<StoreEvent> {
    const watcher = new Watcher(prefix, this.#keyspace.range(prefix)!, whole)
    if (signal.aborted) watcher.end()
    else {
      const starting = this.#start(watcher).finally(() => this.#starting.delete(starting))
      this.#starting.add(starting)
      const stop = (): void => void this.#finish(watcher)
      signal.addEventListener('abort', stop, { once: true })
      watcher.whenEnded(() => {
        signal.removeEventListener('abort', stop)
        this.#forget(watcher)
      })
    }
    return watcher.events()
  }

  get starting(): boolean {
    return this.#starting.size > 0
  }

  /** Resolves when every watch that was asked for knows where it starts: what happens from then on is in it. */
  async started(): Promise<void> {
    while (this.#starting.size > 0) await Promise.all(this.#starting)
  }

  /** A commit of this store: watches that it concerns end only after they have shown it. */
  committed(revision: number, keys: readonly string[]): void {
    for (const watcher of this.#watchers.values()) if (keys.some((key) => key.startsWith(watcher.prefix))) watcher.expect(revision)
  }

  /** Ends every watch, after it has shown the commits that were made through this store. */
  async close(): Promise<void> {
    await Promise.all([...this.#watchers.values()].map((watcher) => this.#finish(watcher)))
    this.#closed = true
    clearTimeout(this.#retry)
    this.#stream?.cancel()
  }

  async #finish(watcher: Watcher): Promise<void> {
    if (this.#stream !== undefined) await watcher.caughtUp()
    watcher.end()
  }

  #forget(watcher: Watcher): void {
    if (this.#watchers.delete(watcher.id)) this.#stream?.send(cancelWatch(watcher.id))
  }

  /** Reads what is under the prefix now: to tell it, to know the revision to start from and, later, what is gone. */
  async #start(watcher: Watcher): Promise<void> {
    for (let pause = FIRST_PAUSE_MS; !watcher.ended && !this.#closed; pause = longer(pause)) {
      try {
        watcher.begin(await this.#range(watcher, !watcher.whole), this.#keyspace)
        this.#register(watcher)
        return
      } catch (error) {
        if (!isUnreachable(error)) return watcher.fail(error)
        this.#contact(false)
        await new Promise<void>((resolve) => setTimeout(resolve, pause).unref())
      }
    }
  }

  #register(watcher: Watcher): void {
    if (watcher.ended) return
    this.#watchers.delete(watcher.id)
    watcher.id = ++this.#lastId
    this.#watchers.set(watcher.id, watcher)
    if (this.#stream !== undefined) this.#stream.send(createWatch(watcher.id, watcher.range, watcher.seen))
    else void this.#open()
  }

  async #range({ range }: Watcher, keysOnly: boolean): Promise<RangeAnswer> {
    const question = encode((writer) => rangeQuestion(writer, { ...range, keysOnly }))
    return rangeAnswer(await this.#connection.ask('/etcdserverpb.KV/Range', question, true))
  }

  async #open(): Promise<void> {
    if (this.#opening || this.#closed || this.#stream !== undefined) return
    this.#opening = true
    try {
      const stream = await this.#connection.stream('/etcdserverpb.Watch/Watch', {
        message: (bytes) => this.#answered(watchAnswer(bytes)),
        ended: () => this.#lost(stream),
      })
      if (this.#closed) return stream.cancel()
      this.#stream = stream
      for (const watcher of this.#watchers.values()) stream.send(createWatch(watcher.id, watcher.range, watcher.seen))
    } catch {
      this.#again()
    } finally {
      this.#opening = false
    }
  }

  #lost(stream: Call): void {
    if (this.#stream === stream) this.#stream = undefined
    this.#again()
  }

  #again(): void {
    this.#contact(false)
    for (const watcher of this.#watchers.values()) watcher.cutOff()
    if (this.#closed || this.#watchers.size === 0) return
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => void this.#open(), this.#pause * (0.5 + Math.random())).unref()
    this.#pause = longer(this.#pause)
  }

  #answered(answer: WatchAnswer): void {
    const watcher = this.#watchers.get(answer.watch)
    if (watcher === undefined) return
    if (answer.created) this.#created()
    // Behind what was seen: the data was put back from a copy.
    if (answer.compacted > 0 || (answer.created && answer.revision < watcher.seen)) return void this.#resync(watcher)
    if (answer.canceled)
      return watcher.fail(new CnmError('ERR_CNM_STORE', `etcd: watch of ${watcher.prefix}: ${answer.reason}`, { object: watcher.prefix }))
    try {
      watcher.take(answer, this.#keyspace)
    } catch (error) {
      watcher.fail(error)
    }
  }

  #created(): void {
    this.#pause = FIRST_PAUSE_MS
    this.#contact(true)
  }

  async #resync(watcher: Watcher): Promise<void> {
    // Nothing that still comes under the old number is taken.
    if (this.#watchers.delete(watcher.id)) this.#stream?.send(cancelWatch(watcher.id))
    for (let pause = FIRST_PAUSE_MS; !watcher.ended && !this.#closed; pause = longer(pause)) {
      try {
        watcher.replace(await this.#range(watcher, false), this.#keyspace)
        return this.#register(watcher)
      } catch (error) {
        if (!isUnreachable(error)) return watcher.fail(error)
        await new Promise<void>((resolve) => setTimeout(resolve, pause).unref())
      }
    }
  }
}

const longer = (pause: number): number => Math.min(pause * 2, LONGEST_PAUSE_MS)
const isUnreachable = (error: unknown): boolean => error instanceof CnmError && error.code === 'ERR_CNM_CLUSTER_UNREACHABLE'
