import { CnmError } from '../../contracts/errors.js'
import type { VolumeWriterRecord } from '../../contracts/volume-records.js'
import type { Undo } from '../undo.js'
import type { Acquisition } from './leases.js'
import { describeConsumer } from './users.js'
import type { Volume } from './volume.js'
import { isDown, isOurs, isShared, releaseWriter, takeWriter } from './writer.js'

/**
 * Whether a consumer gets the volume for reading only. Takes the write lease where there is one.
 * @throws CnmError ERR_CNM_VOLUME_IN_USE, ERR_CNM_INVALID_ARGUMENT for a snapshot that is to be written
 */
export async function settleAccess(volume: Volume, { consumer, readOnly: wanted, takeOver }: Acquisition, undo: Undo): Promise<boolean> {
  const { record, leases } = volume
  if (record.readOnly) {
    if (wanted !== false) return true
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `volume ${volume.name} is a snapshot: it is never written to`, { field: 'readOnly' })
  }
  if (wanted === true) return true
  if (record.accessMode === 'shared' || (leases.get(consumer)?.writes ?? 0) > 0) return false
  const holder = await takeWriter(volume, consumer, takeOver === 'when-down')
  if (holder === undefined) {
    undo.push(() => releaseWriter(volume, consumer))
    return false
  }
  if (wanted === 'when-busy') return true
  throw busy(volume, holder)
}

/** Before the storage is reached again for consumers that write: another host may have got the lease. @throws CnmError ERR_CNM_VOLUME_IN_USE */
export async function assertWriters(volume: Volume): Promise<void> {
  if (!isShared(volume)) return
  for (const { consumer, writes } of volume.leases.values()) {
    const holder = writes > 0 ? await takeWriter(volume, consumer) : undefined
    if (holder !== undefined) throw busy(volume, holder)
  }
}

function busy(volume: Volume, holder: VolumeWriterRecord): CnmError {
  const who = describeConsumer(volume.core, holder.consumer)
  const where = isOurs(volume, holder) ? '' : ` on ${holder.node} (instance ${holder.instance})`
  const down = isDown(volume, holder) ? ', and is down now: forgetNode() frees it, takeOver takes it' : ''
  const message = `volume ${volume.name} has one writer at a time: ${who}${where} has been writing since ${holder.since}${down}`
  return new CnmError('ERR_CNM_VOLUME_IN_USE', message, { object: `volume ${volume.name}` })
}
