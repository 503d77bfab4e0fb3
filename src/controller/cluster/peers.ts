import type { PeerView } from '../../contracts/network-driver.js'
import type { ClusterStore, StoreEntry } from '../../contracts/store.js'
import { follow } from './follow.js'
import type { Nodes } from './nodes.js'
import { endpointsKey, lastPart, readPeer, type PeerRecord } from './records.js'

export interface PeersChanged {
  put: { id: string; record: PeerRecord }[]
  removed: string[]
  /** Names of the hosts that these are on. */
  nodes: Set<string>
}

/** The endpoints that a network has on other hosts, for as long as something here is on it. */
export class Peers {
  /** What drivers see: those that are joined, on hosts that live. */
  readonly views = new Map<string, PeerView>()
  /** How many of them each host has. */
  readonly nodes = new Map<string, number>()
  readonly #own: string
  readonly #nodes: Nodes
  readonly #changed: (change: PeersChanged) => void
  readonly #records = new Map<string, PeerRecord>()
  readonly #byNode = new Map<string, Set<string>>()
  readonly #ending = new AbortController()
  #touched = new Set<string>()
  /** Everything that there was at the start has been heard of. */
  known = false
  readonly started: Promise<void>

  constructor(
    { store, nodes, own, failed }: { store: ClusterStore; nodes: Nodes; own: string; failed: (error: unknown) => void },
    network: string,
    changed: (change: PeersChanged) => void,
  ) {
    this.#own = own
    this.#nodes = nodes
    this.#changed = changed
    this.started = follow(store, endpointsKey(network), this.#ending.signal, {
      put: (entry) => this.#put(entry),
      deleted: (key) => this.#remove(lastPart(key)),
      applied: () => {
        this.known = true
        this.#tell()
      },
      failed,
    })
    this.started.catch(failed)
  }

  /** A host has come, gone, or has another address. */
  nodeChanged(name: string): void {
    for (const id of this.#byNode.get(name) ?? []) this.#touched.add(id)
    if (this.known) this.#tell()
  }

  /** Every endpoint that is shown, with its names. */
  get records(): { id: string; record: PeerRecord }[] {
    return [...this.views.keys()].map((id) => ({ id, record: this.#records.get(id)! }))
  }

  close(): void {
    this.#ending.abort()
  }

  #put(entry: StoreEntry): void {
    const id = lastPart(entry.key)
    const record = readPeer(entry)
    if (record.node === this.#own) return this.#remove(id)
    const before = this.#records.get(id)
    if (before !== undefined && before.node !== record.node) this.#byNode.get(before.node)?.delete(id)
    this.#records.set(id, record)
    this.#byNode.set(record.node, (this.#byNode.get(record.node) ?? new Set()).add(id))
    this.#touched.add(id)
  }

  #remove(id: string): void {
    const record = this.#records.get(id)
    if (record === undefined) return
    this.#records.delete(id)
    const ofNode = this.#byNode.get(record.node)
    ofNode?.delete(id)
    if (ofNode?.size === 0) this.#byNode.delete(record.node)
    this.#touched.add(id)
  }

  /** Compares what is shown of the touched ones with what should be, and tells the difference. */
  #tell(): void {
    const touched = this.#touched
    this.#touched = new Set()
    const change: PeersChanged = { put: [], removed: [], nodes: new Set() }
    for (const id of touched) {
      const record = this.#records.get(id)
      const node = record?.joined ? this.#nodes.present(record.node) : undefined
      const before = this.views.get(id)
      this.#count(before?.node.name, -1, change)
      this.#count(node?.name, 1, change)
      if (record === undefined || node === undefined) {
        if (this.views.delete(id)) change.removed.push(id)
        continue
      }
      const { name, mac, addresses } = record
      const view: PeerView = { id, name, node, mac, addresses }
      const isSame = isSameView(view, before)
      this.views.set(id, view)
      // Names may differ where the driver sees no difference.
      if (!isSame || record.names.length > 0) change.put.push({ id, record })
    }
    if (change.put.length > 0 || change.removed.length > 0) this.#changed(change)
  }

  #count(node: string | undefined, more: 1 | -1, { nodes }: PeersChanged): void {
    if (node === undefined) return
    nodes.add(node)
    const count = (this.nodes.get(node) ?? 0) + more
    if (count > 0) this.nodes.set(node, count)
    else this.nodes.delete(node)
  }
}

/** Asked at every event: thousands of times a second where many hosts start. */
function isSameView(one: PeerView, other: PeerView | undefined): boolean {
  if (other === undefined || one.mac !== other.mac || one.name !== other.name) return false
  if (one.node.name !== other.node.name || one.node.address !== other.node.address) return false
  if (one.addresses.length !== other.addresses.length) return false
  return one.addresses.every(({ address }, index) => address === other.addresses[index]!.address)
}
