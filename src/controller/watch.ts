import { watch as watchFolder, type FSWatcher } from 'node:fs'
import { access } from 'node:fs/promises'
import type { Place } from '../contracts/kernel-objects.js'
import type { Operation } from '../contracts/operations.js'
import type { KernelEvent, KernelWatch, WatchGroup } from '../kernel/index.js'
import type { Core } from './core.js'
import { Drift } from './drift.js'
import { HostChanges } from './host-changes.js'
import { NAMESPACE_DIRECTORY } from './places.js'
import { SlowCheck } from './slow-check.js'

const GROUPS: readonly WatchGroup[] = ['link', 'address', 'route', 'policy-rule', 'nftables']

/** Follows what happens in the kernel while the controller is open: on the host, and in every namespace that is ours. */
export class Watch {
  readonly #core: Core
  readonly #host: HostChanges
  readonly #drift: Drift
  readonly #slow: SlowCheck
  readonly #followed = new Set<Place>(['host'])
  #watch: KernelWatch | undefined
  #neighbours: Promise<KernelWatch | undefined> | undefined
  #folder: FSWatcher | undefined
  #closed = false

  private constructor(core: Core) {
    this.#core = core
    this.#host = new HostChanges(core)
    this.#drift = new Drift(core)
    this.#slow = new SlowCheck(
      core,
      (deviations) => this.#drift.found(deviations),
      (place) => this.#drift.suspect(place, ['others']),
    )
  }

  /** From now on nothing happens unheard; what is heard has consequences after {@link begin}. */
  static async open(core: Core): Promise<Watch> {
    const watch = new Watch(core)
    watch.#watch = await core.kernel.watch({ groups: GROUPS, namespaces: 'all', latest: true }, (events) => watch.#take(events))
    core.engine.observer = {
      sent: (operations) => watch.#follow(operations),
      failed: (operations, error) => {
        if (error instanceof Error && error.cause instanceof AggregateError) watch.#drift.suspectFailed(operations)
      },
    }
    return watch
  }

  /** @param refused where something could not be put right yet: it is tried again */
  begin(refused: Iterable<Place>): void {
    const { wanted } = this.#core.engine
    for (const place of wanted.places()) this.#followPlace(place)
    for (const id of wanted.identities()) if (/ (neighbour|fdb) /.test(id)) this.#watchNeighbours()
    for (const place of refused) this.#drift.suspect(place)
    this.#drift.begin()
    this.#slow.begin()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#core.engine.observer = undefined
    this.#folder?.close()
    this.#watch?.close()
    await this.#host.close()
    await this.#drift.close()
    await this.#slow.close()
    ;(await this.#neighbours)?.close()
  }

  #take(events: readonly KernelEvent[]): void {
    this.#host.take(events)
    this.#drift.take(events)
    for (const event of events) if (event.kind === 'namespace') this.#followed.delete(event.at)
  }

  #follow(operations: readonly Operation[]): void {
    for (const operation of operations) {
      const object = operation.do === 'change' ? operation.to : operation.object
      if (object.kind === 'mount') continue
      if (object.kind === 'neighbour' || object.kind === 'fdb') this.#watchNeighbours()
      if (operation.do !== 'delete') this.#followPlace(object.at)
      // The kernel tells when it is gone.
      else if (object.kind === 'namespace') this.#followed.delete(object.at)
    }
  }

  #followPlace(place: Place): void {
    if (this.#followed.has(place)) return
    this.#followed.add(place)
    if (place.startsWith(`${NAMESPACE_DIRECTORY}/`)) this.#watchFolder()
    // After the transaction that makes it: the kernel thread takes one thing after the other.
    void Promise.resolve()
      .then(() => this.#watch?.follow(place))
      .catch(() => this.#followed.delete(place))
  }

  /** The name of a namespace can be removed while something keeps the namespace alive: no event tells of that. */
  #watchFolder(): void {
    if (this.#folder !== undefined || this.#closed) return
    try {
      this.#folder = watchFolder(NAMESPACE_DIRECTORY, { persistent: false }, (_, name) => {
        const place = `${NAMESPACE_DIRECTORY}/${String(name)}`
        if (this.#followed.has(place)) access(place).catch(() => this.#drift.suspect(place))
      })
      this.#folder.on('error', () => undefined)
    } catch {
      // Made with the first namespace in it: tried again with the next one.
    }
  }

  /** Neighbours come and go with the traffic: they are listened to only where some are wanted. */
  #watchNeighbours(): void {
    if (this.#closed) return
    this.#neighbours ??= this.#core.kernel
      .watch({ groups: ['neighbour'], namespaces: 'all' }, (events) => this.#drift.take(events))
      .catch(() => undefined)
  }
}
