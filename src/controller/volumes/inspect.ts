import type { Volume } from './volume.js'

/** The shape of `docker volume inspect`, and what volumes have here beside that. */
export interface VolumeInspection {
  CreatedAt: string
  Driver: string
  Labels: Record<string, string>
  /** Empty while the driver does not know. */
  Mountpoint: string
  Name: string
  Options: Record<string, string>
  Scope: string
  AccessMode: string
  ReadOnly: boolean
  Leases: { Consumer: string; Since: string; ReadOnly: boolean; Count: number }[]
}

export function inspectVolume(volume: Volume): VolumeInspection {
  const { record, leases } = volume
  return {
    CreatedAt: record.created,
    Driver: record.driver,
    Labels: record.labels,
    Mountpoint: volume.path ?? '',
    Name: record.name,
    Options: record.options,
    Scope: volume.scope,
    AccessMode: record.accessMode,
    ReadOnly: record.readOnly,
    Leases: [...leases.values()].map(({ consumer, since, writes, reads }) => ({
      Consumer: consumer,
      Since: since,
      ReadOnly: writes === 0,
      Count: writes + reads,
    })),
  }
}
