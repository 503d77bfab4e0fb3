import { closeSync, fstatSync, openSync, statSync, writeSync } from 'node:fs'
import { chmod, link, mkdir, open, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RootDatabase } from 'lmdb'

/** Names in the store's directory. */
export const dataFile = (directory: string): string => join(directory, 'data.mdb')
export const lockFile = (directory: string): string => join(directory, 'data.mdb-lock')

/** What LMDB makes of it is 8,272. */
const LOCK_FILE_BYTES = 12_288

/**
 * Address space, not memory or disk. By itself lmdb begins with 128 KiB and maps anew whenever the data outgrow it, which
 * must not happen while other processes write.
 */
const MAP_BYTES = 4 * 2 ** 30

/** Opens the file at a path with what every opener must agree on. */
export async function openEnvironment(path: string): Promise<RootDatabase<Buffer, Buffer>> {
  const { open: openLmdb } = await import('lmdb')
  makeLockFile(`${path}-lock`)
  return openLmdb<Buffer, Buffer>({
    path,
    noSubdir: true,
    mapSize: MAP_BYTES,
    // A commit returns when the page cache has it; the flush follows, and after a power loss (the kernel's boot id
    // differs) LMDB goes back to the last state that was flushed, so that the file is whole in any case.
    overlappingSync: true,
    // The batches that lmdb makes of an event turn have a promise of their own, which nobody could catch.
    eventTurnBatching: false,
    useVersions: true,
    keyEncoding: 'binary',
    encoding: 'binary',
  })
}

/**
 * LMDB maps the lock file and writes through the map: were its blocks not there beforehand, a full disk would kill the
 * process (SIGBUS). In one go, and only where it is missing: whoever closes a file loses all locks that his process has on
 * it (fcntl_locking(2)), and those of an environment that is open already tell other processes that it is in use.
 */
function makeLockFile(path: string): void {
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) >= LOCK_FILE_BYTES) return
  const file = openSync(path, 'a', 0o600)
  try {
    const { size } = fstatSync(file)
    if (size < LOCK_FILE_BYTES) writeSync(file, Buffer.alloc(LOCK_FILE_BYTES - size))
  } finally {
    closeSync(file)
  }
}

/**
 * Makes the data file where there is none. It is made under another name and linked into place when it is complete:
 * an empty or partial file of the right name is therefore always damage, never a beginning.
 */
export async function makeDataFile(directory: string, fill: (database: RootDatabase<Buffer, Buffer>) => Promise<void>): Promise<void> {
  await makeDirectory(directory)
  await removeAbandoned(directory)
  if (await exists(dataFile(directory))) return makePrivate(directory)
  const path = join(directory, `new-${process.pid}-${Math.random().toString(36).slice(2)}.mdb`)
  try {
    const database = await openEnvironment(path)
    try {
      await fill(database)
    } finally {
      await database.close()
    }
    await link(path, dataFile(directory)).catch((error: NodeJS.ErrnoException) => {
      // Another process was faster; its file is as good.
      if (error.code !== 'EEXIST') throw error
    })
    await makePrivate(directory)
    await flushDirectory(directory)
  } finally {
    await rm(path, { force: true })
    await rm(`${path}-lock`, { force: true })
  }
}

/** Not `recursive: true`: that says ENOENT where the file system is read-only. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await makeDirectory(dirname(path))
    await makeDirectory(path)
  }
}

/** LMDB makes the file as the umask says. */
const makePrivate = (directory: string): Promise<void> => chmod(dataFile(directory), 0o600)

/** What makers of a data file left that were killed. */
async function removeAbandoned(directory: string): Promise<void> {
  for (const name of await readdir(directory)) {
    const pid = /^new-(\d+)-\w+\.mdb(-lock)?$/.exec(name)?.[1]
    if (pid !== undefined && !(await exists(`/proc/${pid}`))) await rm(join(directory, name), { force: true })
  }
}

async function flushDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false
      throw error
    },
  )
}
