import { CnmError } from '../../contracts/errors.js'
import { abortable } from '../core.js'
import type { OperationOptions } from '../options.js'
import { nameKey } from './create.js'
import { putVolume, volumeKey } from './records.js'
import type { Volume } from './volume.js'

export interface VolumeDeleteOptions extends OperationOptions {
  /** Forgets it even if its driver cannot remove it; what the driver says comes as a warning. Not while it is in use. */
  force?: boolean
}

export async function deleteVolume(volume: Volume, { force = false, signal }: VolumeDeleteOptions): Promise<void> {
  const { core } = volume
  core.alive()
  abortable(signal, `volume ${volume.name}`)
  await core.serial.run([`volume/${volume.id}`, nameKey(volume.name)], async () => {
    if (core.volumes.collection.find(volume.id) !== volume) return
    if (volume.leases.size > 0) throw inUse(volume)
    await removeVolume(volume, force)
  })
  core.events.emit('volume:delete', { volume })
}

/** What a deletion does, also one that was interrupted. */
export async function removeVolume(volume: Volume, force: boolean): Promise<void> {
  const { core, guardedDriver } = volume
  volume.record = { ...volume.record, phase: 'deleting' }
  await core.store.commit([putVolume(volume.record)])
  try {
    await guardedDriver.unmount(volume.guarded())
    await guardedDriver.remove(volume.guarded())
  } catch (error) {
    if (!force) throw error
    core.events.emit('warning', { message: `volume ${volume.name}: ${String(error)}`, about: volume.id })
  }
  await core.volumes.secrets.remove(volume.id)
  await core.store.commit([{ delete: volumeKey(volume.record) }])
  core.volumes.collection.remove(volume)
}

function inUse(volume: Volume): CnmError {
  const message = `volume ${volume.name} is in use by ${volume.users.join(', ')}`
  return new CnmError('ERR_CNM_VOLUME_IN_USE', message, { object: `volume ${volume.name}` })
}
