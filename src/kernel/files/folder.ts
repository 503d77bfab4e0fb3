import { constants, type Stats } from 'node:fs'
import { lstat, open, readdir, type FileHandle } from 'node:fs/promises'

/** Name of a file as its bytes, one character each: not every name is valid UTF-8. */
export type FileName = string

export const asFileName = (text: string): FileName => Buffer.from(text, 'utf8').toString('latin1')
const bytesOf = (name: FileName): Buffer => Buffer.from(name, 'latin1')

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants

/**
 * An open folder. What is in it is reached through its descriptor, one name at a time and never through a symbolic
 * link, so that nobody who renames or swaps things meanwhile can lead the way out. All of it waits in Node's own pool
 * of threads.
 */
export class Folder {
  readonly handle: FileHandle

  private constructor(handle: FileHandle) {
    this.handle = handle
  }

  /** The last component must be a folder, not a link to one. */
  static async open(path: string | Buffer): Promise<Folder> {
    return new Folder(await open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW))
  }

  /** A path to what has this name in this very folder. */
  path(name: FileName): Buffer {
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.handle.fd}/`), bytesOf(name)])
  }
  /** @throws ENOTDIR, ELOOP, ENOENT */
  folder(name: FileName): Promise<Folder> {
    return Folder.open(this.path(name))
  }
  /** Opens a file that is there for reading. A FIFO does not make it wait. */
  file(name: FileName): Promise<FileHandle> {
    return open(this.path(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  }
  /** Of the thing itself, not of what it links to. */
  stat(name: FileName): Promise<Stats> {
    return lstat(this.path(name))
  }
  names(): Promise<FileName[]> {
    return readdir(`/proc/self/fd/${this.handle.fd}`, { encoding: 'latin1' })
  }
  close(): Promise<void> {
    return this.handle.close()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}

/** Runs `body` with a folder, which is closed afterwards. */
export async function withFolder<T>(opening: Promise<Folder>, body: (folder: Folder) => Promise<T>): Promise<T> {
  const folder = await opening
  try {
    return await body(folder)
  } finally {
    await folder.close()
  }
}
