import { CnmError } from '../../contracts/errors.js'
import type { StoreChange } from '../../contracts/store.js'
import type { VolumeLeaseRecord, VolumeRecord } from '../../contracts/volume-records.js'
import { undoable, type Undo } from '../undo.js'
import { settleAccess } from './access.js'
import { undoFilling } from './copy-up.js'
import { mountStorage } from './mount-storage.js'
import { dropView } from './read-only-view.js'
import { leaseKey, putLease, putVolume } from './records.js'
import type { Volume } from './volume.js'
import { releaseWriter } from './writer.js'

export interface Acquisition {
  consumer: string
  readOnly?: boolean | 'when-busy'
  takeOver?: 'when-down'
  signal?: AbortSignal
  /** Called before anybody learns of the lease, with the volume for itself; the caller serialises. */
  prepare?(path: string, readOnly: boolean): Promise<void>
}

/** Takes a lease and mounts the volume with the first one. The lease is in the store before anything is mounted. */
export async function acquire(volume: Volume, acquisition: Acquisition): Promise<{ path: string; readOnly: boolean }> {
  const { consumer, signal, prepare } = acquisition
  return volume.core.serial.run([`volume/${volume.id}`], () =>
    undoable(async (undo) => {
      volume.refuseGone()
      const readOnly = await settleAccess(volume, acquisition, undo)
      const path = volume.mountpoint ?? (await mountFirst(volume, consumer, signal, undo))
      if (volume.record.content === 'filling') await undoFilling(volume, path)
      await prepare?.(path, readOnly)
      const held = volume.leases.get(consumer) ?? freshLease(volume, consumer)
      const lease: VolumeLeaseRecord = {
        ...held,
        phase: 'ready',
        writes: held.writes + (readOnly ? 0 : 1),
        reads: held.reads + (readOnly ? 1 : 0),
      }
      const changes: StoreChange[] = [putLease(lease)]
      const record: VolumeRecord = readOnly ? volume.record : { ...volume.record, content: 'used' }
      if (record.content !== volume.record.content) changes.push(putVolume(record))
      await volume.core.store.commit(changes)
      volume.record = record
      volume.leases.set(consumer, lease)
      return { path, readOnly }
    }),
  )
}

async function mountFirst(volume: Volume, consumer: string, signal: AbortSignal | undefined, undo: Undo): Promise<string> {
  const { core, leases, guardedDriver } = volume
  if (!leases.has(consumer)) {
    const lease: VolumeLeaseRecord = { ...freshLease(volume, consumer), phase: 'mounting' }
    await core.store.commit([putLease(lease)])
    undo.push(() => core.store.commit([{ delete: leaseKey(lease) }]))
  }
  if (leases.size === 0) {
    undo.push(async () => {
      volume.mountpoint = undefined
      await guardedDriver.unmount(volume.guarded())
    })
  }
  return mountStorage(volume, signal)
}

const freshLease = (volume: Volume, consumer: string): VolumeLeaseRecord => ({
  kind: 'volume-lease',
  version: 1,
  volume: volume.id,
  consumer,
  phase: 'ready',
  since: new Date().toISOString(),
  writes: 0,
  reads: 0,
})

/** What of a consumer's lease is given back. */
export type Share = 'read' | 'write' | 'all'

/** Gives a lease back, in part or whole, and unmounts the volume with the last one. */
export async function release(volume: Volume, consumer: string, share: Share): Promise<void> {
  await volume.core.serial.run([`volume/${volume.id}`], async () => {
    const held = volume.leases.get(consumer)
    if (held === undefined) throw notMounted(volume, consumer)
    await giveBack(volume, held, share)
  })
}

async function giveBack(volume: Volume, held: VolumeLeaseRecord, share: Share): Promise<void> {
  if (share === 'all') return setCounts(volume, held, { writes: 0, reads: 0 })
  return setCounts(volume, held, {
    writes: Math.max(0, held.writes - (share === 'write' ? 1 : 0)),
    reads: Math.max(0, held.reads - (share === 'read' ? 1 : 0)),
  })
}

/** How often a consumer has a volume mounted. */
export interface Counts {
  writes: number
  reads: number
}

/** Makes a lease what it should be, whatever it is; one that should not be there ends. */
export async function settleLease(volume: Volume, consumer: string, counts: Counts): Promise<void> {
  await volume.core.serial.run([`volume/${volume.id}`], async () => {
    const held = volume.leases.get(consumer)
    if (held !== undefined && (held.writes !== counts.writes || held.reads !== counts.reads)) await setCounts(volume, held, counts)
  })
}

async function setCounts(volume: Volume, held: VolumeLeaseRecord, { writes, reads }: Counts): Promise<void> {
  if (writes + reads === 0) return endLease(volume, held)
  const lease = { ...held, writes, reads }
  await volume.core.store.commit([putLease(lease)])
  volume.leases.set(held.consumer, lease)
  if (writes === 0 && held.writes > 0 && volume.accessMode === 'single-writer') await releaseWriter(volume, held.consumer)
  await dropView(volume)
}

/** The end of a lease, also of one whose end was interrupted. When the driver fails, the lease stays. */
export async function endLease(volume: Volume, held: VolumeLeaseRecord): Promise<void> {
  const { core, leases, guardedDriver } = volume
  const ending: VolumeLeaseRecord = { ...held, phase: 'unmounting', writes: 0, reads: 0 }
  await core.store.commit([putLease(ending)])
  leases.set(held.consumer, ending)
  await dropView(volume)
  if (leases.size === 1) {
    volume.mountpoint = undefined
    await guardedDriver.unmount(volume.guarded())
  }
  if (volume.accessMode === 'single-writer') await releaseWriter(volume, held.consumer)
  await core.store.commit([{ delete: leaseKey(held) }])
  leases.delete(held.consumer)
  // It may have been that somebody else has got the write lease of this consumer.
  core.troubles.clear(`volume/${volume.id}`)
}

export const notMounted = (volume: Volume, consumer: string): CnmError =>
  new CnmError('ERR_CNM_VOLUME_NOT_MOUNTED', `volume ${volume.name} is not mounted by ${consumer}`, { object: `volume ${volume.name}` })
