import type { StoreEntry } from '../../contracts/store.js'
import { save, type Core } from '../core.js'
import { Network } from '../network.js'
import { driverOptions } from '../views.js'
import type { Cluster } from './cluster.js'
import { lastPart, networkKey, readDefinition, type Definition } from './records.js'

/** The networks of the cluster, as objects of this controller: known to every host, in the kernel of those that joined. */
export class ClusterNetworks {
  readonly #cluster: Cluster
  readonly #core: Core
  /** Networks are made one after the other: their drivers may have to be loaded. */
  #queue: Promise<void> = Promise.resolve()
  readonly #present = new Set<string>()

  constructor(cluster: Cluster, core: Core) {
    this.#cluster = cluster
    this.#core = core
  }

  put(entry: StoreEntry): void {
    const definition = readDefinition(entry)
    this.#present.add(definition.record.id)
    this.#then(() => this.#take(definition))
  }

  deleted(key: string): void {
    const id = lastPart(key)
    this.#present.delete(id)
    this.#then(() => this.#remove(id))
  }

  /** Resolves when everything that was told has been done. */
  async settled(): Promise<void> {
    await this.#queue
  }

  /** Networks of which this host had a copy, and which were removed while it did not hear of it. */
  dropAbsent(): void {
    for (const network of this.#core.networks.list())
      if (network.scope === 'global' && !this.#present.has(network.id)) this.#then(() => this.#remove(network.id))
  }

  #then(work: () => Promise<void>): void {
    this.#queue = this.#queue.then(work).catch((error: unknown) => this.#cluster.failed(error))
  }

  async #take({ record, deleting }: Definition): Promise<void> {
    const core = this.#core
    const known = core.networks.find(record.id)
    if (known !== undefined) {
      // Nothing is made any more on one that somebody is removing.
      if (known.endpoints.length === 0) known.record = { ...known.record, phase: deleting === undefined ? 'ready' : 'deleting' }
      return
    }
    if (this.#cluster.making.has(record.id) || deleting !== undefined) return
    const driver = await core.drivers.get(record.driver)
    const network = new Network(core, record, driver, driver.networkOptions(driverOptions(record.options)))
    const other = core.networks.find(record.name)
    if (other !== undefined)
      this.#cluster.warn(`network ${record.name} of the cluster has the name of a network here: use its id, ${record.id}`, record.id)
    core.networks.add(network)
    core.names.addNetwork(network)
    core.events.emit('network:create', { network })
  }

  async #remove(id: string): Promise<void> {
    const core = this.#core
    const network = core.networks.find(id)
    if (network === undefined) return
    if (network.endpoints.length > 0) {
      this.#cluster.warn(`network ${network.name} is gone from the cluster (${networkKey(id)}), and has endpoints here`, id)
      return
    }
    await save(core, [], [network.record])
    core.networks.remove(network)
    core.names.removeNetwork(network)
    core.hostLinks.forget(network)
    core.events.emit('network:delete', { network })
  }
}
