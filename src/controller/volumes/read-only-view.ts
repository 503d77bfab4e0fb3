import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Volume } from './volume.js'

/** Where a volume is mounted a second time for those who may only read it. */
export const viewPath = ({ core, id }: Pick<Volume, 'core' | 'id'>): string => join(core.volumes.directory, 'read-only', id)

/** Mounts the view unless it is there. The caller holds the volume, and a lease for reading exists. */
export async function showView(volume: Volume, mountpoint: string): Promise<string> {
  const target = viewPath(volume)
  if (volume.viewed) return target
  await mkdir(target, { recursive: true, mode: 0o700 })
  await volume.core.kernel.mounting.mount({
    source: { bind: mountpoint, recursive: true },
    target,
    flags: ['ro'],
    propagation: 'rprivate',
  })
  volume.viewed = true
  return target
}

/** It goes with the last who may only read. */
export async function dropView(volume: Volume): Promise<void> {
  if (!volume.viewed || [...volume.leases.values()].some(({ reads }) => reads > 0)) return
  await removeView(volume)
}

export async function removeView(volume: Volume): Promise<void> {
  const target = viewPath(volume)
  await volume.core.kernel.mounting.unmount({ target, detach: true })
  volume.viewed = false
  await rmdir(target).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  })
}
