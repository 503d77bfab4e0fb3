import type { JsonValue } from './store.js'

/** A volume as its driver sees it. */
export interface VolumeView {
  readonly id: string
  readonly name: string
  /** As the user gave them, with what is secret in them. */
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  /** What {@link VolumeDriver.create} returned: kept in the volume's record. */
  readonly state?: JsonValue
}

export interface VolumeDriverCapabilities {
  /** `global`: the same volume is reachable from every host of the cluster. Default `local`. */
  scope?: 'local' | 'global'
}

export interface VolumeDriverContext {
  readonly instance: string
  /** A folder for this driver alone. It may not exist yet; it outlives controllers. */
  readonly directory: string
}

/** What a driver says about options before a volume is made. */
export interface CheckedVolumeOptions {
  /** The options as they may be stored and shown. Default: as they are. */
  shown?: Record<string, string>
  /** Texts that no error and no record may contain: passwords. */
  secrets?: string[]
}

/**
 * Where the data of a volume is kept, and how it is reached. One driver serves many volumes. The core calls it for one
 * volume at a time, keeps the leases, and mounts and unmounts only with the first and the last. Every method must be
 * repeatable: after a crash it is called again.
 */
export interface VolumeDriver {
  readonly name: string
  readonly capabilities?: VolumeDriverCapabilities
  /**
   * Refuses options that it does not know; called before anything else.
   * @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT
   */
  checkOptions(options: Readonly<Record<string, string>>): CheckedVolumeOptions | void
  /** Once, before anything else but {@link checkOptions} is called. */
  start?(context: VolumeDriverContext): Promise<void>
  /** Once, when the controller closes. What is mounted stays mounted. */
  stop?(): Promise<void>
  /** Makes the volume, or takes over one that the storage has under this name. What it returns is kept as `volume.state`. */
  create(volume: VolumeView, signal: AbortSignal): Promise<JsonValue | void>
  /** Removes the volume and its data; one that is gone already, or was made in part, is not an error. */
  remove(volume: VolumeView, signal: AbortSignal): Promise<void>
  /** Makes the data reachable and says at which absolute path; one that is reachable already stays as it is. */
  mount(volume: VolumeView, signal: AbortSignal): Promise<string>
  /** Called when the last lease has gone; not being mounted is not an error. */
  unmount(volume: VolumeView, signal: AbortSignal): Promise<void>
  /**
   * Names the storage, where volumes of other hosts reach the same data: the write lease of a single-writer volume is
   * then one for all of them, and in the cluster's store. Default: with scope `global` the volume's name.
   */
  storage?(volume: VolumeView): string | undefined
  /** The path that {@link mount} will return, where it is known beforehand. */
  path?(volume: VolumeView): string | undefined
  /** Bytes in use on the storage, where the driver can tell. */
  usage?(volume: VolumeView, signal: AbortSignal): Promise<number | undefined>
  /** For `inspect`: what there is to say about it. */
  status?(volume: VolumeView, signal: AbortSignal): Promise<Record<string, JsonValue>>
}
