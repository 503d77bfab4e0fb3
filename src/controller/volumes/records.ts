import type { JsonValue, StoreChange } from '../../contracts/store.js'
import type { VolumeLeaseRecord, VolumeRecord } from '../../contracts/volume-records.js'

export const volumeKey = ({ id }: Pick<VolumeRecord, 'id'>): string => `volume/${id}`
/** A consumer is any text; a part of a key is not. */
export const leaseKey = ({ volume, consumer }: Pick<VolumeLeaseRecord, 'volume' | 'consumer'>): string =>
  `volume-lease/${volume}/${encodeURIComponent(consumer)}`

export const putVolume = (record: VolumeRecord): StoreChange => ({ put: volumeKey(record), value: record as unknown as JsonValue })
export const putLease = (record: VolumeLeaseRecord): StoreChange => ({ put: leaseKey(record), value: record as unknown as JsonValue })
