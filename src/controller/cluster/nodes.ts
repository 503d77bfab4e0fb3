import type { NodeView } from '../../contracts/network-driver.js'
import type { StoreEntry } from '../../contracts/store.js'
import { ALIVE, lastPart, readNode, type NodeRecord } from './records.js'

/**
 * How another host is.
 * - `up`: in touch with the cluster.
 * - `closed`: its controller was closed; what it made runs on.
 * - `suspect`: it gave no sign of life for as long as its lease lasts. Nothing is done about it yet.
 * - `down`: for longer. Its endpoints are withdrawn, and come back with it.
 */
export type NodeState = 'up' | 'closed' | 'suspect' | 'down'

export interface ClusterNode {
  name: string
  address: string
  state: NodeState
}

/** The hosts of the cluster as this one sees them. Only the passing of time counts, never a clock. */
export class Nodes {
  readonly #grace: number
  readonly #changed: (name: string) => void
  readonly #records = new Map<string, NodeRecord>()
  readonly #alive = new Set<string>()
  readonly #suspects = new Map<string, NodeJS.Timeout>()
  readonly #told = new Map<string, string>()

  /** @param grace milliseconds from the end of a lease until a host counts as down */
  constructor(grace: number, changed: (name: string) => void) {
    this.#grace = grace
    this.#changed = changed
  }

  state(name: string): NodeState {
    if (this.#alive.has(name)) return 'up'
    if (this.#records.get(name)?.closed) return 'closed'
    return this.#suspects.has(name) ? 'suspect' : 'down'
  }

  /** The host, unless it is down or unknown. */
  present(name: string): NodeView | undefined {
    const record = this.#records.get(name)
    return record === undefined || this.state(name) === 'down' ? undefined : { name, address: record.address }
  }

  list(): ClusterNode[] {
    return [...this.#records].map(([name, { address }]) => ({ name, address, state: this.state(name) }))
  }

  put(entry: StoreEntry): void {
    const name = lastPart(entry.key)
    if (entry.key.startsWith(ALIVE)) this.#alive.add(name)
    else this.#records.set(name, readNode(entry))
    this.#judge(name)
  }

  deleted(key: string): void {
    const name = lastPart(key)
    if (key.startsWith(ALIVE)) this.#alive.delete(name)
    else this.#records.delete(name)
    this.#judge(name)
  }

  close(): void {
    for (const timer of this.#suspects.values()) clearTimeout(timer)
    this.#suspects.clear()
  }

  #judge(name: string): void {
    const record = this.#records.get(name)
    const isMissing = record !== undefined && !this.#alive.has(name) && !record.closed
    if (!isMissing) {
      clearTimeout(this.#suspects.get(name))
      this.#suspects.delete(name)
    } else if (!this.#suspects.has(name) && this.#told.get(name) !== 'down') {
      this.#suspects.set(name, setTimeout(() => this.#giveUp(name), this.#grace).unref())
    }
    this.#tell(name)
  }

  #giveUp(name: string): void {
    this.#suspects.delete(name)
    this.#tell(name)
  }

  #tell(name: string): void {
    const now = this.state(name)
    const text = `${now} ${this.#records.get(name)?.address ?? ''}`
    const before = this.#told.get(name)
    this.#told.set(name, now === 'down' ? 'down' : text)
    if (before !== this.#told.get(name)) this.#changed(name)
  }
}
