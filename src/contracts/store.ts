/** What a store keeps: plain JSON data. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue }

/** One record. `version` changes with every write of the key and is never used twice for one key. */
export interface StoreEntry {
  key: string
  value: JsonValue
  version: number
}

/**
 * One change of a commit. `expect` makes it conditional: `absent` (the key must not exist), a version (the key
 * must still have it), or nothing (write in any case).
 */
export type StoreChange =
  | { put: string; value: JsonValue; expect?: number | 'absent' }
  | { delete: string; expect?: number }

/** What a watcher sees: commits in order, each with the entries it wrote and the keys it deleted. */
export interface StoreEvent {
  put: StoreEntry[]
  deleted: string[]
}

/**
 * Where records survive. Keys are UTF-8 strings of up to 511 bytes whose parts are joined by `/`; `list('a/')`
 * does not see `ab/1`. A commit is atomic: either every change is made or none.
 */
export interface Store {
  readonly name: string
  /** `local`: this host. `global`: a cluster. */
  readonly scope: 'local' | 'global'
  get(key: string): Promise<StoreEntry | undefined>
  /** Entries whose key starts with `prefix`, in key order (by UTF-8 bytes). */
  list(prefix: string): Promise<StoreEntry[]>
  /**
   * Writes all or nothing. Resolves when the data survives the death of this process; `durable` waits until it
   * survives a power loss too. Returns the new version of each put key.
   * @throws CnmError ERR_CNM_STORE_CONFLICT when an expectation is not met (`object` names the key)
   */
  commit(changes: StoreChange[], options?: { durable?: boolean }): Promise<Map<string, number>>
  /** Commits under a prefix from now on, until the signal aborts or the store closes. */
  watch(prefix: string, signal: AbortSignal): AsyncIterable<StoreEvent>
  close(): Promise<void>
}
