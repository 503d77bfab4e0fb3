import type { StoreEntry, StoreEvent } from '../../contracts/store.js'
import type { Keyspace } from './keyspace.js'
import type { RangeAnswer, WatchAnswer } from './wire.js'

/** One watch: what it has seen, and what its reader has not read yet. */
export class Watcher {
  id = 0
  /** Everything up to this revision is in the queue or was read. */
  seen = 0
  ended = false
  readonly prefix: string
  readonly range: { key: Uint8Array; end: Uint8Array }
  readonly whole: boolean
  readonly #known = new Map<string, number>()
  readonly #queue: StoreEvent[] = []
  #failure: Error | undefined
  #wake: (() => void) | undefined
  #onEnd: (() => void) | undefined
  #expected = 0
  #onCaughtUp: (() => void) | undefined

  /** @param whole its first event is what there is at the start */
  constructor(prefix: string, range: { key: Uint8Array; end: Uint8Array }, whole: boolean) {
    this.prefix = prefix
    this.range = range
    this.whole = whole
  }

  begin({ revision, found }: RangeAnswer, keyspace: Keyspace): void {
    this.seen = revision
    if (!this.whole) {
      for (const each of found) this.#known.set(keyspace.name(each), each.revision)
      return
    }
    const event: StoreEvent = { version: revision, put: [], deleted: [] }
    for (const each of found) this.#written(event, keyspace.entry(each))
    this.#queue.push(event)
    this.#wake?.()
  }

  take({ events }: WatchAnswer, keyspace: Keyspace): void {
    let event: StoreEvent | undefined
    for (const { deleted, entry } of events) {
      if (entry.revision <= this.seen && entry.revision !== event?.version) continue
      if (event?.version !== entry.revision) {
        event = { version: entry.revision, put: [], deleted: [] }
        this.#queue.push(event)
      }
      if (deleted) this.#removed(event, keyspace.name(entry))
      else this.#written(event, keyspace.entry(entry))
      this.seen = entry.revision
    }
    this.#advanced()
  }

  /** What is there now, where what happened meanwhile is no longer to be had: the difference as one event. */
  replace({ revision, found }: RangeAnswer, keyspace: Keyspace): void {
    const event: StoreEvent = { version: revision, put: [], deleted: [] }
    const gone = new Set(this.#known.keys())
    for (const each of found) {
      const key = keyspace.name(each)
      gone.delete(key)
      if (this.#known.get(key) !== each.revision) this.#written(event, keyspace.entry(each))
    }
    for (const key of gone) this.#removed(event, key)
    this.seen = revision
    if (event.put.length > 0 || event.deleted.length > 0) this.#queue.push(event)
    this.#advanced()
  }

  #written(event: StoreEvent, entry: StoreEntry): void {
    event.put.push(entry)
    this.#known.set(entry.key, entry.version)
  }
  #removed(event: StoreEvent, key: string): void {
    event.deleted.push(key)
    this.#known.delete(key)
  }

  #advanced(): void {
    this.#wake?.()
    if (this.seen >= this.#expected) this.#onCaughtUp?.()
  }

  /** Not to end before this revision has been seen. */
  expect(revision: number): void {
    this.#expected = Math.max(this.#expected, revision)
  }
  /** Resolves when what is expected has been seen, or cannot be any more. */
  caughtUp(): Promise<void> {
    if (this.ended || this.seen >= this.#expected) return Promise.resolve()
    return new Promise((resolve) => (this.#onCaughtUp = resolve))
  }
  /** The connection is lost: whoever waits for what is expected waits no longer. */
  cutOff(): void {
    this.#onCaughtUp?.()
  }

  whenEnded(body: () => void): void {
    this.#onEnd = body
  }
  end(): void {
    if (this.ended) return
    this.ended = true
    this.#onEnd?.()
    this.#onCaughtUp?.()
    this.#wake?.()
  }
  fail(error: unknown): void {
    this.#failure = error instanceof Error ? error : new Error(String(error))
    this.end()
  }

  async *events(): AsyncGenerator<StoreEvent> {
    try {
      for (;;) {
        for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) yield event
        if (this.#failure !== undefined) throw this.#failure
        if (this.ended) return
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    } finally {
      this.end()
    }
  }
}
