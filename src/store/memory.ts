import { CnmError } from '../contracts/errors.js'
import type { JsonValue, ListOptions, Store, StoreChange, StoreEntry, StoreEvent } from '../contracts/store.js'
import { checkChanges, requireExpected } from './changes.js'
import { keyBytes, prefixBytes } from './keys.js'
import { checkListOptions } from './list-options.js'
import { Watchers } from './watchers.js'

interface Kept {
  bytes: Buffer
  text: string
  version: number
}

class MemoryStore implements Store {
  readonly name = 'memory'
  readonly scope: 'local' | 'global'
  readonly #kept = new Map<string, Kept>()
  readonly #watchers = new Watchers()
  #version = 0
  #closed = false

  constructor(scope: 'local' | 'global') {
    this.scope = scope
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    this.#open()
    keyBytes(key)
    const kept = this.#kept.get(key)
    return kept === undefined ? undefined : entry(key, kept)
  }

  async list(prefix: string, options: ListOptions = {}): Promise<StoreEntry[]> {
    this.#open()
    prefixBytes(prefix)
    const { after: start, limit } = checkListOptions(options)
    const found = [...this.#kept].filter(([key, { bytes }]) => key.startsWith(prefix) && (start === undefined || bytes.compare(start) > 0))
    found.sort(([, left], [, right]) => left.bytes.compare(right.bytes))
    return found.slice(0, limit).map(([key, kept]) => entry(key, kept))
  }

  async commit(changes: readonly StoreChange[]): Promise<Map<string, number>> {
    this.#open()
    const checked = checkChanges(changes)
    for (const change of checked) requireExpected(change, this.#kept.get(change.key)?.version)
    const version = ++this.#version
    const versions = new Map<string, number>()
    const made = checked.filter(({ key, action }) => action === 'put' || (action === 'delete' && this.#kept.has(key)))
    for (const { key, bytes, action, text } of made) {
      if (action === 'delete') this.#kept.delete(key)
      else this.#kept.set(key, { bytes, text, version })
      if (action === 'put') versions.set(key, version)
    }
    this.#watchers.committed(version, made)
    return versions
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<StoreEvent> {
    this.#open()
    prefixBytes(prefix)
    return this.#watchers.watch(prefix, signal)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#watchers.close()
  }

  #open(): void {
    if (this.#closed) throw new CnmError('ERR_CNM_CLOSED', 'the store is closed')
  }
}

const entry = (key: string, { text, version }: Kept): StoreEntry => ({ key, value: JSON.parse(text) as JsonValue, version })

/**
 * A store that lasts as long as the process: for tests, and for programs whose networks need not outlive them.
 * `scope` says what it stands for; default `local`.
 */
export function memory(options: { scope?: 'local' | 'global' } = {}): Store {
  return new MemoryStore(options.scope ?? 'local')
}
