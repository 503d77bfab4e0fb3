import { sharedIndexes } from '../link-indexes.js'
import { NamespaceFolders } from '../namespace-files.js'
import { Namespaces } from '../namespaces.js'
import type { NetlinkSocket } from '../netlink/socket.js'
import { SpareMemory } from '../netlink/spare-memory.js'

/** The kernel is done with what was deleted from nf_tables after a grace period or two. */
const LATELY_MS = 200

/** What the kernel thread keeps from its start to its end. Made on the thread, in the namespace that is to be its home. */
export class Resources {
  readonly namespaces = new Namespaces()
  /** By protocol. Sockets at home stay open: opening costs little, closing one of nf_tables up to 20 ms. */
  readonly homeSockets = new Map<number, NetlinkSocket>()
  readonly homeIndexes = sharedIndexes()
  readonly folders = new NamespaceFolders()
  readonly memory = new SpareMemory()
  readonly #kept = new Map<new () => object, object>()
  #rulesRemoved = -Infinity

  /** One of each kind. */
  kept<T extends object>(kind: new () => T): T {
    const kept = this.#kept.get(kind) ?? new kind()
    this.#kept.set(kind, kept)
    return kept as T
  }

  /** Something is deleted from nf_tables now, or may be. */
  noteRemovedRules(): void {
    this.#rulesRemoved = performance.now()
  }
  get removedRulesLately(): boolean {
    return performance.now() - this.#rulesRemoved < LATELY_MS
  }

  close(): void {
    for (const socket of this.homeSockets.values()) socket.close()
    this.homeSockets.clear()
    this.namespaces.close()
  }
}
