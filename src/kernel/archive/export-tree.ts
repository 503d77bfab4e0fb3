import { once } from 'node:events'
import type { Stats } from 'node:fs'
import { readlink, type FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { Pack } from 'tar-stream'
import { CnmError } from '../../contracts/errors.js'
import { appearanceOf, withFolder, type Appearance, type CopyOptions, type FileName, type Folder } from '../files/index.js'
import { paxOf, type EntryHeader } from './header.js'

const CHUNK = 256 * 1024
const MODE = 0o7777

/**
 * Writes what is in a folder as a tar stream of the POSIX form (pax): owners by number, modes, times, extended
 * attributes, links, FIFOs and devices; not sockets, and not what is mounted inside.
 *
 * @param closed called at the end, whatever it is
 */
export async function exportTree(folder: Folder, options: CopyOptions, closed: () => Promise<void>): Promise<Readable> {
  const { pack } = await import('tar-stream')
  const packed = pack()
  const stopped = new AbortController()
  packed.once('close', () => stopped.abort())
  const { dev } = await folder.handle.stat()
  const work = new Export(packed, { ...options, signal: stopped.signal }, dev)
  const working = work.folder(folder, '').then(
    () => packed.finalize(),
    (error: unknown) => void packed.destroy(error instanceof Error ? error : new Error(String(error))),
  )
  return Readable.from(withEnd(packed, working, closed, options.signal), { objectMode: false })
}

/** The chunks of a stream; when they end, or nobody wants them any more, the rest is tidied up. */
async function* withEnd(packed: Pack, working: Promise<void>, closed: () => Promise<void>, signal?: AbortSignal): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of packed) {
      signal?.throwIfAborted()
      yield chunk
    }
  } finally {
    packed.destroy()
    await working
    await closed()
  }
}

class Export {
  readonly #pack: Pack
  readonly #options: CopyOptions
  readonly #device: number
  readonly #linked = new Map<number, string>()
  readonly #done = { entries: 0, bytes: 0 }

  constructor(pack: Pack, options: CopyOptions, device: number) {
    this.#pack = pack
    this.#options = options
    this.#device = device
  }

  /** @param path with a slash at the end, or empty */
  async folder(folder: Folder, path: string): Promise<void> {
    const look = appearanceOf(await folder.handle.stat(), await this.#options.files.getAttributes(folder.handle.fd))
    await this.#entry({ name: path === '' ? './' : path, type: 'directory' }, look)
    for (const name of (await folder.names()).sort()) {
      this.#options.signal?.throwIfAborted()
      const stat = await folder.stat(name).catch(ignoreMissing)
      if (stat !== undefined) await this.#one(folder, name, stat, path + textOf(name))
    }
  }

  async #one(folder: Folder, name: FileName, stat: Stats, path: string): Promise<void> {
    if (stat.isSocket()) return
    const look = appearanceOf(stat, [])
    if (stat.isDirectory()) {
      if (stat.dev !== this.#device) return this.#entry({ name: `${path}/`, type: 'directory' }, look)
      return withFolder(folder.folder(name), (below) => this.folder(below, `${path}/`))
    }
    const first = stat.nlink > 1 ? this.#linked.get(stat.ino) : undefined
    if (first !== undefined) return this.#entry({ name: path, type: 'link', linkname: first }, look)
    if (stat.nlink > 1) this.#linked.set(stat.ino, path)
    if (stat.isFile()) return this.#file(folder, name, path)
    if (stat.isSymbolicLink()) {
      const linkname = textOf(await readlink(folder.path(name), { encoding: 'latin1' }))
      return this.#entry({ name: path, type: 'symlink', linkname }, look)
    }
    await this.#entry({ name: path, ...nodeOf(stat) }, look)
  }

  async #file(folder: Folder, name: FileName, path: string): Promise<void> {
    const file = await folder.file(name)
    try {
      const stat = await file.stat()
      if (!stat.isFile()) return
      const look = appearanceOf(stat, await this.#options.files.getAttributes(file.fd))
      await this.#entry({ name: path, type: 'file', size: stat.size }, look, file)
    } finally {
      await file.close()
    }
  }

  async #entry(header: EntryHeader, look: Appearance, content?: FileHandle): Promise<void> {
    const { uid, gid, mode, modified } = look
    const full: EntryHeader = { ...header, uid, gid, mode: mode & MODE, mtime: new Date(modified * 1000), pax: paxOf(look) }
    if (content === undefined || full.size === 0) this.#pack.entry(full)
    else await this.#content(full, content)
    this.#done.entries++
    this.#options.progress?.(this.#done)
  }

  /** Exactly as many bytes as the header says: a file that has shrunk since is filled up, as tar does. */
  async #content(header: EntryHeader, file: FileHandle): Promise<void> {
    const { signal } = this.#options
    const sink = this.#pack.entry(header)
    for (let left = header.size ?? 0, position = 0; left > 0;) {
      signal?.throwIfAborted()
      const chunk = Buffer.alloc(Math.min(CHUNK, left))
      const { bytesRead } = await file.read(chunk, 0, chunk.length, position)
      const bytes = bytesRead === 0 ? chunk : chunk.subarray(0, bytesRead)
      if (!sink.write(bytes)) await once(sink, 'drain', { signal })
      left -= bytes.length
      position += bytes.length
      this.#done.bytes += bytes.length
    }
    const finished = once(sink, 'finish', { signal })
    sink.end()
    await finished
  }
}

/** Numbers of devices as Linux packs them (makedev(3)). */
function nodeOf(stat: Stats): Omit<EntryHeader, 'name'> {
  if (stat.isFIFO()) return { type: 'fifo' }
  const devmajor = (stat.rdev >>> 8) & 0xfff
  const devminor = (stat.rdev & 0xff) | ((stat.rdev >>> 12) & 0xfff00)
  return { type: stat.isBlockDevice() ? 'block-device' : 'character-device', devmajor, devminor }
}

/** @throws CnmError ERR_CNM_NOT_SUPPORTED: the names of a pax archive are UTF-8 */
function textOf(name: FileName): string {
  const text = Buffer.from(name, 'latin1').toString('utf8')
  if (Buffer.from(text).toString('latin1') === name) return text
  throw new CnmError('ERR_CNM_NOT_SUPPORTED', `export: the name ${JSON.stringify(text)} is not UTF-8, which a tar archive needs`)
}

function ignoreMissing(error: unknown): undefined {
  if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
}
