import type { Readable } from 'node:stream'
import { CnmError } from '../../contracts/errors.js'
import type { JsonValue } from '../../contracts/store.js'
import type { VolumeLeaseRecord, VolumeRecord } from '../../contracts/volume-records.js'
import type { VolumeView } from '../../contracts/volume-driver.js'
import type { Core } from '../core.js'
import type { OperationOptions } from '../options.js'
import { Recorded } from '../recorded.js'
import { copyVolume, exportVolume, type VolumeCopyOptions } from './copies.js'
import { deleteVolume, type VolumeDeleteOptions } from './delete.js'
import type { GuardedView, GuardedVolumeDriver } from './guarded-volume-driver.js'
import { inspectVolume, type VolumeInspection } from './inspect.js'
import type { VolumeMountOptions, VolumeUnmountOptions } from './options.js'
import { mountFor, unmountFor } from './mount.js'
import type { Secrets } from './secrets.js'
import { describeConsumer } from './users.js'

/** Persistent data that outlives what uses it. Made by {@link Volumes.create}. */
export class Volume extends Recorded<VolumeRecord> {
  /** @internal */
  readonly guardedDriver: GuardedVolumeDriver
  /** @internal */
  readonly secrets: Secrets | undefined
  /** @internal by consumer */
  readonly leases = new Map<string, VolumeLeaseRecord>()
  /** @internal where the driver has made the data reachable; `undefined` when it has to be asked */
  mountpoint: string | undefined
  /** @internal whether the read-only view is mounted */
  viewed = false

  /** @internal */
  constructor(core: Core, record: VolumeRecord, driver: GuardedVolumeDriver, secrets: Secrets | undefined) {
    super(core, record)
    this.guardedDriver = driver
    this.secrets = secrets
  }

  get driver(): string {
    return this.record.driver
  }
  /** Without passwords. */
  get options(): Readonly<Record<string, string>> {
    return this.record.options
  }
  get scope(): 'local' | 'global' {
    return this.guardedDriver.scope
  }
  /** @internal the storage that volumes of other hosts share with it */
  get storage(): string | undefined {
    return this.guardedDriver.storage(this.guarded())
  }
  get accessMode(): 'shared' | 'single-writer' {
    return this.record.accessMode
  }
  /** A snapshot: it is never written to. */
  get readOnly(): boolean {
    return this.record.readOnly
  }
  /** Consumers that have it mounted; sandboxes by name: `sandbox web`. */
  get users(): string[] {
    return [...this.leases.keys()].map((consumer) => describeConsumer(this.core, consumer))
  }
  /** Where its data is, or will be when it is mounted, as far as the driver knows. */
  get path(): string | undefined {
    return this.mountpoint ?? this.guardedDriver.path(this.guarded())
  }

  /**
   * Makes the data reachable for a consumer, under any name that the caller chooses, until {@link unmount}. A consumer
   * may mount it several times. The lease outlives this process.
   * @returns the path
   * @throws CnmError ERR_CNM_VOLUME_IN_USE when another consumer may write to a single-writer volume
   */
  mount(consumer: string, options: VolumeMountOptions = {}): Promise<string> {
    return mountFor(this, consumer, options)
  }

  /**
   * Gives one mount of the consumer back. With the last one of all, nothing stays mounted.
   * @throws CnmError ERR_CNM_VOLUME_NOT_MOUNTED
   */
  unmount(consumer: string, options: VolumeUnmountOptions = {}): Promise<void> {
    return unmountFor(this, consumer, options)
  }

  /** Removes it with its data. @throws CnmError ERR_CNM_VOLUME_IN_USE naming the users */
  delete(options: VolumeDeleteOptions = {}): Promise<void> {
    return deleteVolume(this, options)
  }

  /** Bytes on the storage, where the driver can tell. */
  usage({ signal }: OperationOptions = {}): Promise<number | undefined> {
    this.refuseGone()
    return this.guardedDriver.usage(this.guarded(), signal)
  }

  /** What the driver has to say about it. */
  status({ signal }: OperationOptions = {}): Promise<Record<string, JsonValue>> {
    this.refuseGone()
    return this.guardedDriver.status(this.guarded(), signal)
  }

  /** A new volume with the same data, which shares its blocks where the file system can. */
  clone(options: VolumeCopyOptions): Promise<Volume> {
    return copyVolume(this, 'clone', options)
  }
  /** The same, never to be written to. Files that are written meanwhile may be caught half-way, unless it is a single-writer volume. */
  snapshot(options: VolumeCopyOptions): Promise<Volume> {
    return copyVolume(this, 'snapshot', options)
  }
  /**
   * The data as a tar stream (POSIX pax). The volume is in use until the stream has ended or is destroyed.
   * @throws CnmError ERR_CNM_NOT_SUPPORTED, in the stream, for a name that is not UTF-8
   */
  export(options: OperationOptions = {}): Promise<Readable> {
    return exportVolume(this, options)
  }

  inspect(): VolumeInspection {
    return inspectVolume(this)
  }

  /** @internal */
  view(): VolumeView {
    const { id, name, labels, state } = this.record
    return { id, name, labels, options: this.secrets?.options ?? this.record.options, ...(state !== undefined && { state }) }
  }
  /** @internal */
  guarded(): GuardedView {
    return { view: this.view(), secrets: this.secrets?.texts ?? [] }
  }

  /** @internal @throws CnmError ERR_CNM_VOLUME_NOT_FOUND */
  refuseGone(): void {
    this.core.alive()
    if (this.core.volumes.collection.find(this.id) === this && this.record.phase === 'ready') return
    throw new CnmError('ERR_CNM_VOLUME_NOT_FOUND', `volume ${this.name} is gone`, { object: `volume ${this.name}` })
  }
}
