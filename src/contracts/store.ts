/** What a store keeps: plain JSON data. Object properties that are `undefined` count as absent. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue }

/**
 * One record. `version` is the number of the commit that wrote it. Commits of one store are numbered upwards, also
 * across restarts, so that a version is never used twice for one key and a later write has a greater one.
 */
export interface StoreEntry {
  key: string
  value: JsonValue
  version: number
}

/**
 * One change of a commit. `expect` makes it conditional: `absent` (the key must not exist), a version (the key
 * must still have it), or nothing (write in any case). `check` writes nothing. A commit names each key once.
 */
export type StoreChange =
  | { put: string; value: JsonValue; expect?: number | 'absent' }
  | { delete: string; expect?: number }
  | { check: string; expect: number | 'absent' }

/**
 * What a watcher sees of one commit: the entries that it wrote and the keys that it deleted, under the prefix. A store may
 * also name keys that were to be deleted and did not exist.
 */
export interface StoreEvent {
  /** Number of the commit. */
  version: number
  put: StoreEntry[]
  deleted: string[]
}

export interface ListOptions {
  /** Only keys greater than this one. */
  after?: string
  /** At most so many entries. */
  limit?: number
}

/**
 * Where records survive. Keys are UTF-8 strings of up to 511 bytes whose parts are joined by `/`; no part is
 * empty and none contains control characters. `list('a/')` does not see `ab/1`. A commit is atomic: either every
 * change is made or none. Values are copied in and out: changing one afterwards changes nothing in the store.
 *
 * Every method fails with ERR_CNM_CLOSED after `close`, with ERR_CNM_INVALID_ARGUMENT for a key or value that
 * cannot be kept, and with ERR_CNM_STORE when the medium fails (disk full, read-only), in which case nothing was
 * written.
 */
export interface Store {
  readonly name: string
  /** `local`: this host. `global`: a cluster. */
  readonly scope: 'local' | 'global'
  get(key: string): Promise<StoreEntry | undefined>
  /** Entries whose key starts with `prefix`, in key order (by UTF-8 bytes), as they were at one moment. */
  list(prefix: string, options?: ListOptions): Promise<StoreEntry[]>
  /**
   * Writes all or nothing. Resolves when the data survives the death of this process; `durable` waits until it
   * survives a power loss too. Returns the new version of each put key.
   * @throws CnmError ERR_CNM_STORE_CONFLICT when an expectation is not met (`object` names the key)
   */
  commit(changes: readonly StoreChange[], options?: { durable?: boolean }): Promise<Map<string, number>>
  /**
   * Commits under a prefix, in order, from the call on (not from the first `next()`), until the signal aborts or
   * the store closes; then the iteration ends without an error. Nothing is left out and nothing dropped, so a
   * watcher that is not read holds memory.
   */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<StoreEvent>
  /** Waits for commits under way. Closing twice is fine. */
  close(): Promise<void>
}

export interface HoldOptions {
  /** How long the record outlives the last sign of life of this process. Whole seconds, 2 or more. */
  seconds: number
  /** While this process was out of touch, the record went, and another took its place. */
  lost?(conflict: Error): void
}

/** A record that is kept while this process lives. */
export interface Held {
  /** Lets it go at once. */
  release(): Promise<void>
}

/**
 * A store that several hosts share. Beside what {@link Store} says:
 *
 * - When it cannot be reached, everything fails with ERR_CNM_CLUSTER_UNREACHABLE after a limited time. A commit that was
 *   under way when the connection broke fails so too, and may have been made all the same.
 * - A watch outlives lost connections. What it cannot be told any more commit by commit (the store forgets its history)
 *   it is told as one event that leads from what it has seen to what there is: equality, never silent loss.
 */
export interface ClusterStore extends Store {
  readonly scope: 'global'
  /**
   * Keeps a record for as long as this process lives and is in touch; it goes by itself some seconds after. If the store has
   * lost it meanwhile, it is put again. The same value of an earlier life is taken over.
   * @throws CnmError ERR_CNM_STORE_CONFLICT when another value is there
   */
  hold(key: string, value: JsonValue, options: HoldOptions): Promise<Held>
  /** Like {@link watch}, but the first event, perhaps an empty one, is everything that there is under the prefix. */
  follow(prefix: string, signal: AbortSignal): AsyncIterable<StoreEvent>
  /** Tells when touch with the cluster is lost, and when it is there (again), judged by the watches that run. Returns how to end that. */
  onContact(listener: (inTouch: boolean) => void): () => void
}
