import { randomBytes } from 'node:crypto'
import { chmod, chown, open, rename, rm, stat } from 'node:fs/promises'

/**
 * Changes a file that others may have bind-mounted: in place, since those who mounted it keep the inode. One write of
 * the whole text, filled up with empty lines when it got shorter, and the length put right afterwards: a reader finds
 * the old or the new lines, never an empty file. Not written when nothing changed.
 * @param update the new text from the old; a file that is not there is made, its old text is empty
 * @returns whether the file was written
 */
export async function updateMountedFile(path: string, update: (text: string) => string): Promise<boolean> {
  const file = await openOrMake(path)
  try {
    const before = await file.readFile('utf8')
    const after = update(before)
    if (after === before) return false
    const bytes = Buffer.from(after)
    const length = Buffer.byteLength(before)
    await file.write(Buffer.concat([bytes, Buffer.alloc(Math.max(0, length - bytes.length), '\n')]), 0, undefined, 0)
    if (bytes.length < length) await file.truncate(bytes.length)
    return true
  } finally {
    await file.close()
  }
}

async function openOrMake(path: string): ReturnType<typeof open> {
  try {
    return await open(path, 'r+')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return open(path, 'w+', 0o644)
  }
}

/**
 * Puts a new file in the place of another (or of none), whole or not at all, with the owner and mode of the old one.
 * For files that nobody has mounted: those who have keep the old one.
 */
export async function replaceFile(path: string, text: string): Promise<void> {
  const old = await stat(path).catch(() => undefined)
  const next = `${path}.${randomBytes(6).toString('hex')}`
  const file = await open(next, 'wx', 0o644)
  try {
    await file.writeFile(text)
    await file.sync()
    await file.close()
    if (old !== undefined) {
      await chown(next, old.uid, old.gid)
      await chmod(next, old.mode & 0o7777)
    }
    await rename(next, path)
  } catch (error) {
    await file.close().catch(() => undefined)
    await rm(next, { force: true })
    throw error
  }
}
