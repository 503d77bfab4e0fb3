import type { JsonValue } from './store.js'

/** A volume as its driver sees it. */
export interface VolumeView {
  readonly name: string
  readonly options: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  /** What {@link VolumeDriver.create} returned: kept in the volume's record. */
  readonly state?: JsonValue
}

/** Where the data of a volume is kept, and how it is reached. One driver serves many volumes. */
export interface VolumeDriver {
  readonly name: string
  readonly capabilities?: {
    /** `global`: the same volume is reachable from every host of the cluster. Default `local`. */
    scope?: 'local' | 'global'
  }
  start?(context: { instance: string; directory: string }): Promise<void>
  stop?(): Promise<void>
  /** Makes the volume; must be repeatable after a crash. Refuses unknown options. What it returns is kept as `volume.state`. */
  create(volume: VolumeView, signal: AbortSignal): Promise<JsonValue | void>
  /** Removes the volume and its data; a volume that is gone already is not an error. */
  remove(volume: VolumeView, signal: AbortSignal): Promise<void>
  /** Makes the data reachable and says where; called for the first lease only. */
  mount(volume: VolumeView, signal: AbortSignal): Promise<string>
  /** Called when the last lease has gone; not being mounted is not an error. */
  unmount(volume: VolumeView, signal: AbortSignal): Promise<void>
  /** Bytes in use, where the driver can tell. */
  usage?(volume: VolumeView): Promise<number | undefined>
}
