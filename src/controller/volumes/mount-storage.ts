import { assertWriters } from './access.js'
import type { Volume } from './volume.js'

/**
 * Reaches the storage of a volume, if this process has not yet. @returns where
 * @throws CnmError ERR_CNM_VOLUME_IN_USE when a consumer here that writes has lost the write lease to another host
 */
export async function mountStorage(volume: Volume, signal?: AbortSignal): Promise<string> {
  if (volume.mountpoint !== undefined) return volume.mountpoint
  await assertWriters(volume)
  volume.mountpoint = await volume.guardedDriver.mount(volume.guarded(), signal)
  return volume.mountpoint
}
