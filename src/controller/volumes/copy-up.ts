import { closeSync } from 'node:fs'
import { CnmError } from '../../contracts/errors.js'
import { copyTree, emptyFolder, Folder, withFolder } from '../../kernel/index.js'
import { putVolume } from './records.js'
import type { Volume } from './volume.js'

/** Where files for a new volume come from: a folder as a sandbox sees it. */
export interface CopyUp {
  environment: string
  target: string
  signal?: AbortSignal
}

/**
 * Fills a volume that nobody has written to, and that is empty, with what a sandbox has where the volume will be
 * mounted. The caller has the volume for itself. A crash half-way is undone before the volume is used.
 */
export async function copyUp(volume: Volume, path: string, { environment, target, signal }: CopyUp): Promise<void> {
  const { core } = volume
  if (volume.record.content !== 'new') return
  const fd = await openIfThere(volume, environment, target)
  if (fd === undefined) return
  try {
    await withFolder(Folder.open(`/proc/self/fd/${fd}/.`), (from) =>
      withFolder(Folder.open(path), async (to) => {
        if ((await from.names()).length === 0 || (await to.names()).length > 0) return
        await markContent(volume, 'filling')
        try {
          await copyTree(from, to, { files: core.kernel.files, signal })
        } catch (error) {
          await undoFilling(volume, path)
          throw error
        }
      }),
    )
  } finally {
    closeSync(fd)
  }
}

/** A target that is not there, or is a file, has nothing to copy. */
async function openIfThere({ core }: Volume, environment: string, target: string): Promise<number | undefined> {
  try {
    return await core.kernel.mounting.openInside(environment, target)
  } catch (error) {
    if (error instanceof CnmError && (error.errnoName === 'ENOENT' || error.errnoName === 'ENOTDIR')) return undefined
    throw error
  }
}

/** Empties a volume again whose filling did not come to its end. */
export async function undoFilling(volume: Volume, path: string): Promise<void> {
  await withFolder(Folder.open(path), emptyFolder)
  await markContent(volume, 'new')
}

async function markContent(volume: Volume, content: 'new' | 'filling'): Promise<void> {
  const record = { ...volume.record, content }
  await volume.core.store.commit([putVolume(record)])
  volume.record = record
}
