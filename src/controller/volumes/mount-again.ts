import { assertWriters } from './access.js'
import type { Volume } from './volume.js'

/** Reaches the storage of a volume that has leases, if this process has not yet. @returns where */
export async function mountAgain(volume: Volume): Promise<string> {
  if (volume.mountpoint !== undefined) return volume.mountpoint
  await assertWriters(volume)
  volume.mountpoint = await volume.guardedDriver.mount(volume.guarded())
  return volume.mountpoint
}
