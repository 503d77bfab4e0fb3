import type { PairView } from '../../../contracts/network-driver.js'
import { pairPart } from '../../../contracts/pair-part.js'
import type { StoreChange } from '../../../contracts/store.js'
import type { Network } from '../../network.js'
import type { Cluster } from '../cluster.js'

/** Tells the others up to which commit of the store this host's kernel can receive what they send: one word for all of them. */
export class Acknowledgement {
  readonly #cluster: Cluster
  readonly #record: (applied: number) => StoreChange
  /** What has been heard and may not be in the kernel yet, by host. */
  readonly #awaited = new Map<string, () => boolean>()
  #owed = 0
  #said = 0
  #saying = false

  constructor(cluster: Cluster, record: (applied: number) => StoreChange) {
    this.#cluster = cluster
    this.#record = record
  }

  /** @param version of what the host said last; undefined when it does not concern this one */
  expect(node: string, isApplied: () => boolean, version: number | undefined): void {
    if (version === undefined) this.#awaited.delete(node)
    else {
      this.#awaited.set(node, isApplied)
      this.#owed = Math.max(this.#owed, version)
    }
    this.applied()
  }

  /** Something has been put into the kernel. */
  applied(): void {
    for (const [node, isApplied] of this.#awaited) if (isApplied()) this.#awaited.delete(node)
    if (this.#saying || this.#awaited.size > 0 || this.#owed <= this.#said) return
    const owed = this.#owed
    this.#saying = true
    this.#cluster
      .orLater(async () => {
        await this.#cluster.store.commit([this.#record(owed)])
        this.#said = Math.max(this.#said, owed)
      })
      .catch((error: unknown) => this.#cluster.failed(error))
      .finally(() => {
        this.#saying = false
        if (this.#said >= owed) this.applied()
      })
  }

  clear(): void {
    this.#awaited.clear()
    this.#owed = this.#said = 0
  }
}

/** Whether everything that comes from a host can be received, on every network that is shared with it: the kernel has followed. */
export function canReceive(networks: ReadonlyMap<Network, ReadonlyMap<string, PairView>>, node: string): boolean {
  for (const [{ parts }, views] of networks) {
    const described = new Set(parts.get(pairPart(node))?.description.map((object) => object.kind === 'xfrm-state' && object.aead.key))
    if (views.get(node)?.in.some(({ key }) => !described.has(key))) return false
  }
  return true
}
