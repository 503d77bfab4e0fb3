import { constants } from 'node:fs'
import { mkdir, open, symlink, unlink } from 'node:fs/promises'
import { Transform, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Entry } from 'tar-stream'
import { CnmError } from '../../contracts/errors.js'
import {
  linkBelow,
  setAppearance,
  setAppearanceAt,
  SparseWriter,
  withFolder,
  type Appearance,
  type CopyOptions,
  type FileName,
  type Folder,
} from '../files/index.js'
import { appearanceIn, type EntryHeader } from './header.js'
import { checkLink, nameOf, refused, stepsOf } from './paths.js'

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, S_IFIFO } = constants
const PRIVATE = 0o600
const FOLDER_MODE = 0o755
/** Bytes that may come without any entry or its data: headers are small, and held in memory. */
const LARGEST_HEADER = 4 * 1024 * 1024
const KINDS = new Set(['file', 'contiguous-file', 'directory', 'link', 'symlink', 'fifo'])

/**
 * Unpacks a tar stream into an empty folder. Whatever the archive says, nothing outside is touched: absolute paths,
 * `..`, links that lead out, ways through links and device nodes are refused, and with them the whole archive. Blocks of
 * zeros become holes.
 * @throws CnmError ERR_CNM_ARCHIVE_REFUSED
 */
export async function importTree(archive: Readable, to: Folder, options: CopyOptions): Promise<void> {
  const { extract } = await import('tar-stream')
  const unpacked = extract({ filenameEncoding: 'latin1' })
  const guard = headerGuard()
  // Kept as a value: it may fail before anybody waits for it.
  const feeding = pipeline(archive, guard.stream, unpacked, { signal: options.signal }).then(
    () => undefined,
    (error: unknown) => error,
  )
  const work = new Import(to, options)
  const unpacking = async (): Promise<void> => {
    for await (const entry of unpacked) {
      guard.progress()
      await work.entry(entry, guard.progress)
    }
  }
  const failure = await unpacking().then(
    () => undefined,
    (error: unknown) => {
      unpacked.destroy()
      return error
    },
  )
  // When the archive breaks off, its reader only learns that there is no more.
  const reason = isConsequence(failure) ? ((await feeding) ?? failure) : failure
  if (reason !== undefined) throw asRefusal(reason)
  await work.finish()
}

const isConsequence = (error: unknown): boolean =>
  error === undefined ||
  ['STREAM_DESTROYED', 'PREMATURE_CLOSE', 'ERR_STREAM_PREMATURE_CLOSE'].includes((error as NodeJS.ErrnoException).code ?? '')

/** Ends the stream when so much has come that can only be one huge header. */
function headerGuard(): { stream: Transform; progress(): void } {
  let pending = 0
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      pending += chunk.length
      if (pending > LARGEST_HEADER) done(new CnmError('ERR_CNM_ARCHIVE_REFUSED', 'archive: a header is too large'))
      else done(null, chunk)
    },
  })
  return { stream, progress: () => void (pending = 0) }
}

/** The library says in plain errors what is wrong with an archive; those of the file system have a code. */
function asRefusal(error: unknown): unknown {
  if (error instanceof CnmError || !(error instanceof Error) || 'code' in error || error.name === 'AbortError') return error
  return new CnmError('ERR_CNM_ARCHIVE_REFUSED', `archive: ${error.message}`, { cause: error })
}

class Import {
  readonly #root: Folder
  readonly #options: CopyOptions
  /** What folders look like is set at last: what is written into them changes their times. */
  readonly #folders: { steps: FileName[]; look: Appearance }[] = []
  readonly #done = { entries: 0, bytes: 0 }

  constructor(root: Folder, options: CopyOptions) {
    this.#root = root
    this.#options = options
  }

  async entry(entry: Entry, progress: () => void): Promise<void> {
    this.#options.signal?.throwIfAborted()
    const header: EntryHeader = entry.header
    const name = nameOf(header.name, header.pax?.path)
    const steps = stepsOf(name)
    if (!KINDS.has(header.type ?? '')) throw refused(name, `is a ${header.type ?? 'kind of entry that is not known'}`)
    const look = appearanceIn(header, name)
    if (header.type === 'directory') await this.#folder(steps, look)
    else if (steps.length === 0) throw refused(name, 'has no name')
    else await inFolder(this.#root, steps.slice(0, -1), (folder) => this.#make(folder, steps, entry, look, progress))
    entry.resume()
    this.#done.entries++
    this.#options.progress?.(this.#done)
  }

  async finish(): Promise<void> {
    for (const { steps, look } of this.#folders.reverse())
      await inFolder(this.#root, steps, ({ handle }) => setAppearance(this.#options.files, handle, look))
  }

  async #folder(steps: FileName[], look: Appearance): Promise<void> {
    await inFolder(this.#root, steps, async () => undefined)
    this.#folders.push({ steps, look })
  }

  async #make(folder: Folder, steps: FileName[], entry: Entry, look: Appearance, progress: () => void): Promise<void> {
    const { files } = this.#options
    const header: EntryHeader = entry.header
    const name = steps.at(-1)!
    const target = nameOf(header.linkname ?? '', header.pax?.linkpath)
    await this.#makeRoom(folder, name)
    if (header.type === 'symlink') {
      checkLink(steps.join('/'), steps.length - 1, target)
      await symlink(Buffer.from(target, 'latin1'), folder.path(name))
      await setAppearanceAt(files, folder, name, 'link', look)
    } else if (header.type === 'link') {
      await this.#hardLink(folder, name, target)
    } else if (header.type === 'fifo') {
      await files.makeNode(folder.path(name), S_IFIFO | PRIVATE, 0)
      await setAppearanceAt(files, folder, name, 'node', look)
    } else await this.#file(folder, name, entry, look, progress)
  }

  /** A later entry takes the place of an earlier one of the same name. */
  async #makeRoom(folder: Folder, name: FileName): Promise<void> {
    await unlink(folder.path(name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'EISDIR' || error.code === 'EPERM') throw refused(name, 'takes the place of a folder')
      if (error.code !== 'ENOENT') throw error
    })
  }

  /** To a file that came before, in the archive itself. */
  async #hardLink(folder: Folder, name: FileName, target: FileName): Promise<void> {
    const steps = stepsOf(target)
    const isFile = await inFolder(
      this.#root,
      steps.slice(0, -1),
      async (parent) => (await parent.stat(steps.at(-1) ?? '.')).isFile(),
      false,
    ).catch(() => false)
    if (!isFile) throw refused(name, 'is a second name for no file of the archive')
    await linkBelow(this.#root, steps, folder, name)
  }

  async #file(folder: Folder, name: FileName, entry: Entry, look: Appearance, progress: () => void): Promise<void> {
    const file = await open(folder.path(name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, PRIVATE)
    try {
      const writer = new SparseWriter(file)
      for await (const chunk of entry) {
        progress()
        await writer.write(chunk)
        this.#done.bytes += chunk.length
      }
      await writer.end()
      await setAppearance(this.#options.files, file, look)
    } finally {
      await file.close()
    }
  }
}

/**
 * Runs `body` with a folder below, which is made if it is missing.
 * @throws CnmError ERR_CNM_ARCHIVE_REFUSED when there is a link or file on the way
 */
async function inFolder<T>(top: Folder, steps: readonly FileName[], body: (folder: Folder) => Promise<T>, make = true): Promise<T> {
  const [first, ...rest] = steps
  if (first === undefined) return body(top)
  return withFolder(openOrMake(top, first, make), (folder) => inFolder(folder, rest, body, make))
}

async function openOrMake(parent: Folder, name: FileName, make: boolean): Promise<Folder> {
  try {
    return await parent.folder(name)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR' || code === 'ELOOP') throw refused(name, 'is on the way to another entry, and no folder')
    if (code !== 'ENOENT' || !make) throw error
    await mkdir(parent.path(name), FOLDER_MODE)
    return parent.folder(name)
  }
}
