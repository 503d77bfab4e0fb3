import { CnmError } from '../../contracts/errors.js'
import type { VolumeWriterRecord } from '../../contracts/volume-records.js'
import type { Undo } from '../undo.js'
import { describeConsumer } from './users.js'
import type { Volume } from './volume.js'
import { isOurs, releaseWriter, takeWriter } from './writer.js'

/**
 * Whether a consumer gets the volume for reading only. Takes the write lease where there is one.
 * @throws CnmError ERR_CNM_VOLUME_IN_USE, ERR_CNM_INVALID_ARGUMENT for a snapshot that is to be written
 */
export async function settleAccess(
  volume: Volume,
  consumer: string,
  wanted: boolean | 'when-busy' | undefined,
  undo: Undo,
): Promise<boolean> {
  const { record, leases } = volume
  if (record.readOnly) {
    if (wanted !== false) return true
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `volume ${volume.name} is a snapshot: it is never written to`, { field: 'readOnly' })
  }
  if (wanted === true) return true
  if (record.accessMode === 'shared' || (leases.get(consumer)?.writes ?? 0) > 0) return false
  const holder = await takeWriter(volume, consumer)
  if (holder === undefined) {
    undo.push(() => releaseWriter(volume, consumer))
    return false
  }
  if (wanted === 'when-busy') return true
  throw busy(volume, holder)
}

function busy(volume: Volume, holder: VolumeWriterRecord): CnmError {
  const who = describeConsumer(volume.core, holder.consumer)
  const where = isOurs(volume, holder) ? '' : ` on ${holder.node} (instance ${holder.instance})`
  const message = `volume ${volume.name} has one writer at a time: ${who}${where} has been writing since ${holder.since}`
  return new CnmError('ERR_CNM_VOLUME_IN_USE', message, { object: `volume ${volume.name}` })
}
