import { CnmError } from '../contracts/errors.js'
import type { JsonValue, ListOptions, Store, StoreChange, StoreEntry, StoreEvent } from '../contracts/store.js'
import { checkChanges, type CheckedChange } from './changes.js'
import { keyBytes, prefixBytes } from './keys.js'
import { checkListOptions } from './list-options.js'
import { checkFile, Damage } from './lmdb-check.js'
import { LmdbCommits } from './lmdb-commits.js'
import { COUNTER_KEY, DamagedRecord, FORMAT_KEY, LmdbDatabase } from './lmdb-database.js'
import { corrupt, storeError } from './lmdb-errors.js'
import { dataFile, makeDataFile, openEnvironment } from './lmdb-file.js'
import { listEntries } from './lmdb-list.js'
import { Watchers } from './watchers.js'

const FORMAT = JSON.stringify({ format: 1 })

export interface LmdbOptions {
  /** Made with mode 0700 where it is missing; the files in it have mode 0600. */
  directory: string
}

class LmdbStore implements Store {
  readonly name = 'lmdb'
  readonly scope = 'local'
  readonly #directory: string
  readonly #database: LmdbDatabase
  readonly #commits: LmdbCommits
  readonly #watchers = new Watchers()
  /** Commits and listings under way: closing waits for them. */
  readonly #pending = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(directory: string, database: LmdbDatabase) {
    this.#directory = directory
    this.#database = database
    this.#commits = new LmdbCommits(database)
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    this.#open()
    const bytes = keyBytes(key)
    return this.#read(async () => {
      this.#database.refresh()
      const record = this.#database.read(bytes)
      return record && { key, value: JSON.parse(record.text) as JsonValue, version: record.version }
    })
  }

  async list(prefix: string, options: ListOptions = {}): Promise<StoreEntry[]> {
    this.#open()
    const bytes = prefixBytes(prefix)
    const { after, limit } = checkListOptions(options)
    return this.#track(this.#read(() => listEntries(this.#database, bytes, after, limit)))
  }

  async commit(changes: readonly StoreChange[], { durable = false }: { durable?: boolean } = {}): Promise<Map<string, number>> {
    this.#open()
    const checked = checkChanges(changes)
    if (checked.length === 0) return new Map()
    return this.#commit(checked, durable)
  }

  watch(prefix: string, signal: AbortSignal): AsyncIterable<StoreEvent> {
    this.#open()
    prefixBytes(prefix)
    return this.#watchers.watch(prefix, signal)
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    while (this.#pending.size > 0) await Promise.allSettled(this.#pending)
    this.#watchers.close()
    await this.#database.lmdb.close()
  }

  async #commit(changes: CheckedChange[], durable: boolean): Promise<Map<string, number>> {
    let flushed: Promise<unknown> = Promise.resolve()
    const version = await new Promise<number>((resolve, reject) => {
      const made = (number: number): void => {
        this.#watchers.committed(number, changes)
        resolve(number)
      }
      flushed = this.#track(this.#commits.run(changes, { made, failed: reject }))
    }).catch((error: unknown) => this.#fail('commit', error))
    if (durable) {
      const failure = await flushed
      if (failure !== undefined) return this.#fail('flush', failure)
      await this.#database.lmdb.flushed
    }
    return new Map(changes.filter(({ action }) => action === 'put').map(({ key }) => [key, version]))
  }

  /** Reads, and says what is damaged. */
  async #read<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      return this.#fail('read', error)
    }
  }

  async #fail(operation: string, error: unknown): Promise<never> {
    throw error instanceof DamagedRecord
      ? corrupt(this.#directory, error.message, error)
      : await storeError(this.#directory, operation, error)
  }

  #track<T>(work: Promise<T>): Promise<T> {
    this.#pending.add(work)
    const done = (): boolean => this.#pending.delete(work)
    work.then(done, done)
    return work
  }

  #open(): void {
    if (this.#closing !== undefined) throw new CnmError('ERR_CNM_CLOSED', `the store in ${this.#directory} is closed`)
  }
}

/**
 * The embedded store: one LMDB file. Commits survive the death of the process at any instant; a power loss costs at
 * most what was not flushed yet, which is under way when a commit returns. Several processes may use one directory;
 * each watches its own commits only.
 * @throws CnmError ERR_CNM_STORE_CORRUPT for a damaged file, ERR_CNM_STORE when it cannot be opened
 */
export async function lmdb({ directory }: LmdbOptions): Promise<Store> {
  if (typeof directory !== 'string' || !directory.startsWith('/')) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', 'lmdb: directory must be an absolute path', { field: 'directory' })
  }
  try {
    await makeDataFile(directory, fill)
    await checkFile(dataFile(directory))
    const database = new LmdbDatabase(await openEnvironment(dataFile(directory)))
    try {
      requireFormat(directory, database)
      return new LmdbStore(directory, database)
    } catch (error) {
      await database.lmdb.close()
      throw error
    }
  } catch (error) {
    throw error instanceof Damage || error instanceof DamagedRecord
      ? corrupt(directory, error.message, error)
      : await storeError(directory, 'open', error)
  }
}

/** What a new file begins with. */
async function fill(lmdb: LmdbDatabase['lmdb']): Promise<void> {
  const database = new LmdbDatabase(lmdb)
  await lmdb.batch(() => {
    database.put(FORMAT_KEY, { version: 1, text: FORMAT })
    database.put(COUNTER_KEY, { version: 1, text: '' })
  })
  await lmdb.flushed
}

function requireFormat(directory: string, database: LmdbDatabase): void {
  const text = database.read(FORMAT_KEY)?.text
  if (text === undefined || database.read(COUNTER_KEY) === undefined) throw new Damage('it lacks the records that every store has')
  if (text !== FORMAT) {
    throw new CnmError('ERR_CNM_STORE', `the store in ${directory} has the format of another release of libcnm: ${text}`, {
      object: directory,
    })
  }
}
