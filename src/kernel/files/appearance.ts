import { constants, type Stats } from 'node:fs'
import { lchown, lutimes, open } from 'node:fs/promises'
import { CnmError } from '../../contracts/errors.js'
import type { Attributes } from './attributes.js'
import type { FileName, Folder } from './folder.js'
import type { SpecialFiles } from './special-files.js'

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
const MODE = 0o7777

/** Whose a file is, who may do what with it, and when it was last written; `attributes` are the extended ones. */
export interface Appearance {
  uid: number
  gid: number
  mode: number
  /** Seconds since the epoch. */
  modified: number
  attributes: Attributes
}

/** Of an open file, so that nobody can put another one in its place meanwhile. */
export interface OpenFile {
  fd: number
  chown(uid: number, gid: number): Promise<void>
  chmod(mode: number): Promise<void>
  utimes(accessed: number, modified: number): Promise<void>
}

export const appearanceOf = ({ uid, gid, mode, mtimeMs }: Stats, attributes: Attributes): Appearance => ({
  uid,
  gid,
  mode,
  modified: mtimeMs / 1000,
  attributes: attributes.filter(([name]) => isKept(name)),
})

/**
 * Attributes that belong to the data. Security labels are those of the place where the data is, and what overlayfs notes
 * for itself would make it show other files.
 */
export const isKept = (name: string): boolean =>
  name.startsWith('user.') || name === 'security.capability' || name.startsWith('system.posix_acl_')

export async function setAppearance(files: SpecialFiles, file: OpenFile, look: Appearance): Promise<void> {
  await file.chown(look.uid, look.gid)
  // Changing the owner takes set-user-id bits away.
  await file.chmod(look.mode & MODE)
  if (look.attributes.length > 0) await files.setAttributes(file.fd, look.attributes).catch(ignoreUnsupported)
  await file.utimes(look.modified, look.modified)
}

/** Of a file that cannot be opened without consequences: it is opened only by its name in this very folder. */
export async function setAppearanceAt(
  files: SpecialFiles,
  folder: Folder,
  name: FileName,
  kind: 'link' | 'node',
  look: Appearance,
): Promise<void> {
  const path = folder.path(name)
  if (kind === 'link') {
    await lchown(path, look.uid, look.gid)
    return lutimes(path, look.modified, look.modified)
  }
  const handle = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    await setAppearance(files, handle, look)
  } finally {
    await handle.close()
  }
}

function ignoreUnsupported(error: unknown): void {
  if (!(error instanceof CnmError && error.code === 'ERR_CNM_NOT_SUPPORTED')) throw error
}
