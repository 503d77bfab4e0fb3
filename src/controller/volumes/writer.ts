import { CnmError } from '../../contracts/errors.js'
import type { JsonValue, Store } from '../../contracts/store.js'
import type { VolumeWriterRecord } from '../../contracts/volume-records.js'
import { readRecord } from '../schema.js'
import type { Volume } from './volume.js'

/**
 * The write lease of a single-writer volume: one record, taken by compare-and-set, in the store of the hosts that can
 * reach the volume. Two writers with buffers of their own would damage shared data.
 */
const keyOf = ({ record }: Volume): string => `volume-writer/${record.driver}/${encodeURIComponent(record.name)}`

const storeOf = (volume: Volume): Store => volume.core.volumes.leaseStore(volume.scope)

/** @returns who has it instead, or nothing when this consumer has it now */
export async function takeWriter(volume: Volume, consumer: string): Promise<VolumeWriterRecord | undefined> {
  const { instance, volumes } = volume.core
  const record: VolumeWriterRecord = {
    kind: 'volume-writer',
    version: 1,
    volume: volume.name,
    node: volumes.node,
    instance,
    consumer,
    since: new Date().toISOString(),
  }
  for (;;) {
    try {
      await storeOf(volume).commit([{ put: keyOf(volume), value: record as unknown as JsonValue, expect: 'absent' }])
      return undefined
    } catch (error) {
      if (!(error instanceof CnmError && error.code === 'ERR_CNM_STORE_CONFLICT')) throw error
    }
    const holder = await readWriter(volume)
    // Given back since: try again.
    if (holder !== undefined) return isOurs(volume, holder.record) && holder.record.consumer === consumer ? undefined : holder.record
  }
}

/** Gives the lease back if this consumer has it; with `anyHost`, also the one that it has on another host. */
export async function releaseWriter(volume: Volume, consumer: string, anyHost = false): Promise<void> {
  const holder = await readWriter(volume)
  if (holder === undefined || holder.record.consumer !== consumer || !(anyHost || isOurs(volume, holder.record))) return
  try {
    await storeOf(volume).commit([{ delete: keyOf(volume), expect: holder.version }])
  } catch (error) {
    // Somebody else has it by now.
    if (!(error instanceof CnmError && error.code === 'ERR_CNM_STORE_CONFLICT')) throw error
  }
}

export async function readWriter(volume: Volume): Promise<{ record: VolumeWriterRecord; version: number } | undefined> {
  const entry = await storeOf(volume).get(keyOf(volume))
  return entry === undefined ? undefined : { record: readRecord('volume-writer', entry), version: entry.version }
}

export const isOurs = ({ core }: Volume, { node, instance }: VolumeWriterRecord): boolean =>
  node === core.volumes.node && instance === core.instance
