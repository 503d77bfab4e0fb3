import type { ClusterStore, Held, JsonValue, ListOptions, StoreChange, StoreEntry, StoreEvent } from '../contracts/store.js'
import { checkChanges, requireExpected } from './changes.js'

/** Versions of what is changed here: no store has come so far. */
const FIRST_VERSION = 2 ** 52

/**
 * What a shared store would be like after changes that nobody makes: they stay here, and what is not changed is read from
 * the real one. Nothing is heard of later changes there.
 */
export class TrialStore implements ClusterStore {
  readonly name = 'trial'
  readonly scope = 'global'
  readonly #real: ClusterStore
  /** Without an entry: deleted. */
  readonly #changed = new Map<string, StoreEntry | undefined>()
  #version = FIRST_VERSION

  constructor(real: ClusterStore) {
    this.#real = real
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    return this.#changed.has(key) ? structuredClone(this.#changed.get(key)) : this.#real.get(key)
  }

  async list(prefix: string, { after, limit = Infinity }: ListOptions = {}): Promise<StoreEntry[]> {
    const found = (await this.#real.list(prefix, { ...(after !== undefined && { after }) })).filter(({ key }) => !this.#changed.has(key))
    const bytesAfter = Buffer.from(after ?? '')
    for (const [key, entry] of this.#changed)
      if (entry !== undefined && key.startsWith(prefix) && Buffer.from(key).compare(bytesAfter) > 0) found.push(structuredClone(entry))
    return found.sort((one, other) => Buffer.from(one.key).compare(Buffer.from(other.key))).slice(0, limit)
  }

  async commit(changes: readonly StoreChange[]): Promise<Map<string, number>> {
    const checked = checkChanges(changes)
    for (const change of checked) if (change.expect !== undefined) requireExpected(change, (await this.get(change.key))?.version)
    const version = this.#version++
    const versions = new Map<string, number>()
    for (const { key, action, text } of checked) {
      if (action === 'delete') this.#changed.set(key, undefined)
      if (action !== 'put') continue
      this.#changed.set(key, { key, value: JSON.parse(text) as JsonValue, version })
      versions.set(key, version)
    }
    return versions
  }

  async *watch(): AsyncIterable<StoreEvent> {
    // What happens elsewhere is no part of the trial, and what happens here its own doing.
  }
  async *follow(prefix: string): AsyncIterable<StoreEvent> {
    yield { version: this.#version, put: await this.list(prefix), deleted: [] }
  }

  async hold(): Promise<Held> {
    return { release: async () => undefined }
  }
  onContact(): () => void {
    return () => undefined
  }
  async close(): Promise<void> {
    this.#changed.clear()
  }
}
