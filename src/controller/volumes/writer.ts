import { CnmError } from '../../contracts/errors.js'
import type { JsonValue, Store } from '../../contracts/store.js'
import type { VolumeWriterRecord } from '../../contracts/volume-records.js'
import { readRecord } from '../schema.js'
import type { Volume } from './volume.js'

const WRITERS = 'volume-writer/'

/**
 * The write lease of a single-writer volume: one record, taken by compare-and-set, in the store of the hosts that can
 * reach the volume. Two writers with buffers of their own would damage shared data.
 */
function keyOf({ record: { driver, name }, storage }: Volume): string {
  return `${WRITERS}${driver}/${encodeURIComponent(storage === undefined || storage === name ? name : `storage:${storage}`)}`
}

/** Whether its write lease is one for several hosts. */
export const isShared = ({ accessMode, storage }: Volume): boolean => accessMode === 'single-writer' && storage !== undefined

const storeOf = (volume: Volume): Store => volume.core.volumes.leaseStore(volume.storage === undefined ? 'local' : 'global')

/**
 * @param fromDown takes it from a consumer whose host counts as down
 * @returns who has it instead, or nothing when this consumer has it now
 */
export async function takeWriter(volume: Volume, consumer: string, fromDown = false): Promise<VolumeWriterRecord | undefined> {
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
  for (let expect: 'absent' | number = 'absent'; ;) {
    try {
      await storeOf(volume).commit([{ put: keyOf(volume), value: record as unknown as JsonValue, expect }])
      return undefined
    } catch (error) {
      if (!(error instanceof CnmError && error.code === 'ERR_CNM_STORE_CONFLICT')) throw error
    }
    const holder = await readWriter(volume)
    // Given back since: try again.
    expect = holder?.version ?? 'absent'
    if (holder === undefined || (fromDown && isDown(volume, holder.record))) continue
    return isOurs(volume, holder.record) && holder.record.consumer === consumer ? undefined : holder.record
  }
}

/** Gives the lease back if this consumer has it; with `anyHost`, also the one that it has on another host. */
export async function releaseWriter(volume: Volume, consumer: string, anyHost = false): Promise<void> {
  const holder = await readWriter(volume)
  if (holder === undefined || holder.record.consumer !== consumer || !(anyHost || isOurs(volume, holder.record))) return
  await releaseAt(storeOf(volume), keyOf(volume), holder.version)
}

async function releaseAt(store: Store, key: string, version: number): Promise<void> {
  try {
    await store.commit([{ delete: key, expect: version }])
  } catch (error) {
    // Somebody else has it by now.
    if (!(error instanceof CnmError && error.code === 'ERR_CNM_STORE_CONFLICT')) throw error
  }
}

export async function readWriter(volume: Volume): Promise<{ record: VolumeWriterRecord; version: number } | undefined> {
  const entry = await storeOf(volume).get(keyOf(volume))
  return entry === undefined ? undefined : { record: readRecord('volume-writer', entry), version: entry.version }
}

/** Whether nothing has been heard of the holder's host for as long as the cluster has agreed on. */
export const isDown = (volume: Volume, { node }: VolumeWriterRecord): boolean =>
  node !== volume.core.volumes.node && volume.core.cluster?.isDown(node) === true

/** Frees what consumers on a host hold that will not come back. */
export async function releaseWritersOf(store: Store, node: string): Promise<void> {
  for (const entry of await store.list(WRITERS))
    if (readRecord('volume-writer', entry).node === node) await releaseAt(store, entry.key, entry.version)
}

export const isOurs = ({ core }: Volume, { node, instance }: VolumeWriterRecord): boolean =>
  node === core.volumes.node && instance === core.instance
