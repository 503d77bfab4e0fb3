import { constants, type Stats } from 'node:fs'
import { copyFile, link, mkdir, open, readlink, symlink, type FileHandle } from 'node:fs/promises'
import { appearanceOf, setAppearance, setAppearanceAt } from './appearance.js'
import { withFolder, type FileName, type Folder } from './folder.js'
import { sparseCopy } from './sparse-copy.js'
import type { SpecialFiles } from './special-files.js'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = constants
const PRIVATE = 0o600
const PRIVATE_FOLDER = 0o700
/** What FICLONE says where the two do not share a file system that can share blocks. */
const CANNOT_SHARE = new Set(['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'ENOSYS', 'EINVAL', 'ENOTTY', 'ETXTBSY'])

export interface CopyOptions {
  files: SpecialFiles
  signal?: AbortSignal
  /** Called after each file. */
  progress?(done: { entries: number; bytes: number }): void
}

/**
 * Copies what is in one folder into another, empty one, and what the folder itself looks like: owners, modes, times,
 * extended attributes, links, FIFOs and devices; not sockets, and not what is mounted inside. Where the file system can
 * share blocks between files, it does, and the copy costs nearly nothing.
 */
export async function copyTree(from: Folder, to: Folder, options: CopyOptions): Promise<void> {
  await new Copy(to, options, (await from.handle.stat()).dev).folder(from, to, [])
}

class Copy {
  readonly #root: Folder
  readonly #options: CopyOptions
  readonly #device: number
  /** Files with several names: where the first one is. */
  readonly #linked = new Map<number, FileName[]>()
  readonly #done = { entries: 0, bytes: 0 }
  #shares = true

  constructor(root: Folder, options: CopyOptions, device: number) {
    this.#root = root
    this.#options = options
    this.#device = device
  }

  async folder(from: Folder, to: Folder, path: FileName[]): Promise<void> {
    for (const name of await from.names()) {
      this.#options.signal?.throwIfAborted()
      const stat = await from.stat(name).catch(ignoreMissing)
      if (stat !== undefined) await this.#entry(from, to, name, stat, [...path, name])
    }
    const stat = await from.handle.stat()
    await setAppearance(this.#options.files, to.handle, appearanceOf(stat, await this.#options.files.getAttributes(from.handle.fd)))
  }

  async #entry(from: Folder, to: Folder, name: FileName, stat: Stats, path: FileName[]): Promise<void> {
    const { files, progress } = this.#options
    if (stat.isSocket()) return
    if (stat.isDirectory()) {
      await mkdir(to.path(name), PRIVATE_FOLDER)
      if (stat.dev !== this.#device) return
      await withFolder(from.folder(name), (source) => withFolder(to.folder(name), (target) => this.folder(source, target, path)))
    } else if (await this.#linkTo(to, name, stat, path)) {
      // The other name has everything.
    } else if (stat.isFile()) {
      await this.#file(from, to, name)
    } else if (stat.isSymbolicLink()) {
      await symlink(await readlink(from.path(name), { encoding: 'buffer' }), to.path(name))
      await setAppearanceAt(files, to, name, 'link', appearanceOf(stat, []))
    } else {
      await files.makeNode(to.path(name), stat.mode, stat.rdev)
      await setNode(files, to, name, stat)
    }
    this.#done.entries++
    progress?.(this.#done)
  }

  /** @returns whether it is a further name of a file that has been copied */
  async #linkTo(to: Folder, name: FileName, { nlink, ino }: Stats, path: FileName[]): Promise<boolean> {
    if (nlink < 2) return false
    const first = this.#linked.get(ino)
    if (first === undefined) {
      this.#linked.set(ino, path)
      return false
    }
    await linkBelow(this.#root, first, to, name)
    return true
  }

  async #file(from: Folder, to: Folder, name: FileName): Promise<void> {
    const source = await from.file(name)
    try {
      const stat = await source.stat()
      // Replaced by something else since we looked.
      if (!stat.isFile()) return
      if (!(await this.#share(source, to, name))) await this.#copy(source, to, name)
      this.#done.bytes += stat.size
      const target = await open(to.path(name), O_WRONLY | O_NOFOLLOW)
      try {
        await setAppearance(this.#options.files, target, appearanceOf(stat, await this.#options.files.getAttributes(source.fd)))
      } finally {
        await target.close()
      }
    } finally {
      await source.close()
    }
  }

  async #share(source: FileHandle, to: Folder, name: FileName): Promise<boolean> {
    if (!this.#shares) return false
    try {
      await copyFile(`/proc/self/fd/${source.fd}`, to.path(name), COPYFILE_EXCL | COPYFILE_FICLONE_FORCE)
      return true
    } catch (error) {
      if (!CANNOT_SHARE.has((error as NodeJS.ErrnoException).code ?? '')) throw error
      this.#shares = false
      return false
    }
  }

  async #copy(source: FileHandle, to: Folder, name: FileName): Promise<void> {
    const target = await open(to.path(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE)
    try {
      await sparseCopy(source, target, this.#options.signal)
    } finally {
      await target.close()
    }
  }
}

/** Only FIFOs can be opened without consequences; a device keeps the owner that it is made with. */
async function setNode(files: SpecialFiles, to: Folder, name: FileName, stat: Stats): Promise<void> {
  if (stat.isFIFO()) await setAppearanceAt(files, to, name, 'node', appearanceOf(stat, []))
}

/** A second name for a file that is at this path below `root`. */
export async function linkBelow(root: Folder, path: readonly FileName[], to: Folder, name: FileName): Promise<void> {
  const [first, ...rest] = path
  if (rest.length === 0) return link(root.path(first!), to.path(name))
  await withFolder(root.folder(first!), (folder) => linkBelow(folder, rest, to, name))
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
