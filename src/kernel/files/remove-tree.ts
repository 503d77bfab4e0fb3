import { rmdir, unlink } from 'node:fs/promises'
import { withFolder, type FileName, type Folder } from './folder.js'

const isCode = (error: unknown, ...codes: string[]): boolean => codes.includes((error as NodeJS.ErrnoException).code ?? '')

/** Removes what has this name in a folder, with everything below. It being gone is not an error. */
export async function removeTree(parent: Folder, name: FileName): Promise<void> {
  try {
    await unlink(parent.path(name))
  } catch (error) {
    if (isCode(error, 'ENOENT')) return
    if (!isCode(error, 'EISDIR', 'EPERM')) throw error
    await removeFolder(parent, name)
  }
}

async function removeFolder(parent: Folder, name: FileName): Promise<void> {
  try {
    await withFolder(parent.folder(name), emptyFolder)
    await rmdir(parent.path(name))
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error
  }
}

/** Removes everything that is in a folder. */
export async function emptyFolder(folder: Folder): Promise<void> {
  for (const name of await folder.names()) await removeTree(folder, name)
}
