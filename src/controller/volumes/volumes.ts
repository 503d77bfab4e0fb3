import type { Readable } from 'node:stream'
import { CnmError } from '../../contracts/errors.js'
import type { Collection } from '../collection.js'
import type { Core } from '../core.js'
import type { Filters } from '../filters.js'
import { importVolume } from './copies.js'
import { ANONYMOUS, createVolume } from './create.js'
import type { VolumeOptions } from './options.js'
import type { Volume } from './volume.js'

export interface VolumePruneOptions {
  filters?: Filters
  /** Those with names too, not only anonymous ones. Default false. */
  all?: boolean
}

export interface VolumesPruned {
  deleted: string[]
  /** Bytes, as far as the drivers could tell. */
  reclaimed: number
}

/** The volumes of one controller. */
export class Volumes implements Iterable<Volume> {
  readonly #core: Core

  /** @internal */
  constructor(core: Core) {
    this.#core = core
  }

  get #volumes(): Collection<Volume> {
    return this.#core.volumes.collection
  }
  get size(): number {
    return this.#volumes.size
  }
  [Symbol.iterator](): IterableIterator<Volume> {
    return this.#volumes[Symbol.iterator]()
  }
  /** By name, id, or a prefix of the id that fits only one. @throws CnmError ERR_CNM_VOLUME_NOT_FOUND, ERR_CNM_AMBIGUOUS */
  get(key: string): Volume {
    return this.#volumes.get(key)
  }
  /** Like {@link get}, without an error when there is none. */
  find(key: string): Volume | undefined {
    return this.#volumes.find(key)
  }
  /** In order of creation. Filters: `name`, `driver`, `label`, `dangling` (used by nobody). */
  list(options: { filters?: Filters } = {}): Volume[] {
    return this.#volumes.list(options)
  }

  /**
   * Makes a volume, or returns the one that has this name, driver and options.
   * @throws CnmError ERR_CNM_VOLUME_EXISTS, ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT, ERR_CNM_DRIVER_NOT_FOUND
   */
  create(options: VolumeOptions = {}): Promise<Volume> {
    return createVolume(this.#core, options)
  }

  /**
   * Makes a volume from a tar stream. Entries that lead out of it, and device nodes, are refused, and then there is no volume.
   * @throws CnmError ERR_CNM_ARCHIVE_REFUSED, and those of {@link create}
   */
  import(archive: Readable, options: VolumeOptions = {}): Promise<Volume> {
    return importVolume(this.#core, archive, options)
  }

  /** Deletes what nobody uses: anonymous volumes of this host, and with `all` those with names. */
  async prune({ filters, all = false }: VolumePruneOptions = {}): Promise<VolumesPruned> {
    this.#core.alive()
    return this.#core.serial.run(['volume-prune'], async () => {
      const found = this.list({ filters }).filter(
        (volume) => volume.scope === 'local' && volume.leases.size === 0 && (all || ANONYMOUS in volume.labels),
      )
      const pruned = await deleteAll(found)
      this.#core.events.emit('volume:prune', pruned)
      return pruned
    })
  }
}

/** What somebody began to use meanwhile is left alone. */
async function deleteAll(volumes: readonly Volume[]): Promise<VolumesPruned> {
  const pruned: VolumesPruned = { deleted: [], reclaimed: 0 }
  const failures: unknown[] = []
  for (const volume of volumes) {
    try {
      const bytes = await volume.usage().catch(() => undefined)
      await volume.delete()
      pruned.deleted.push(volume.name)
      pruned.reclaimed += bytes ?? 0
    } catch (error) {
      if (!(error instanceof CnmError && error.code === 'ERR_CNM_VOLUME_IN_USE')) failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'prune: some could not be deleted')
  return pruned
}
