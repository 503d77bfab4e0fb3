import { setImmediate as nextTurn } from 'node:timers/promises'
import type { RootDatabase } from 'lmdb'
import { CnmError } from '../contracts/errors.js'
import type { ListOptions, Store, StoreChange, StoreEntry, StoreEvent } from '../contracts/store.js'
import { checkChanges, requireExpected, type CheckedChange } from './changes.js'
import { keyBytes, prefixBytes } from './keys.js'
import { LmdbCommits } from './lmdb-commits.js'
import { corrupt, storeError } from './lmdb-errors.js'
import { dataFile, makeDataFile, openEnvironment } from './lmdb-file.js'
import { decodeRecord, encodeRecord, type StoredRecord } from './lmdb-record.js'
import { Watchers } from './watchers.js'

/** Keys of our own begin with a byte that the keys of users cannot contain. */
const FORMAT_KEY = Buffer.from('\0format')
const COUNTER_KEY = Buffer.from('\0version')
const FORMAT = JSON.stringify({ format: 1 })
const FIRST_USER_KEY = Buffer.from([0x20])

/** What a commit did: checks, and deletions of what was not there, are left out. */
interface Made {
  version: number
  changes: CheckedChange[]
}

/** Entries read in one go: about 1 ms. */
const CHUNK = 500

export interface LmdbOptions {
  /** Made with mode 0700 where it is missing; the files in it have mode 0600. */
  directory: string
}

class LmdbStore implements Store {
  readonly name = 'lmdb'
  readonly scope = 'local'
  readonly #directory: string
  readonly #database: RootDatabase<Buffer, Buffer>
  readonly #commits: LmdbCommits
  readonly #watchers = new Watchers()
  /** Commits and listings under way: closing waits for them. */
  readonly #pending = new Set<Promise<unknown>>()
  #closing: Promise<void> | undefined

  constructor(directory: string, database: RootDatabase<Buffer, Buffer>) {
    this.#directory = directory
    this.#database = database
    this.#commits = new LmdbCommits(database)
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    this.#open()
    const bytes = keyBytes(key)
    this.#database.resetReadTxn()
    const record = this.#read(bytes)
    return record === undefined ? undefined : { key, value: JSON.parse(record.text), version: record.version }
  }

  async list(prefix: string, options: ListOptions = {}): Promise<StoreEntry[]> {
    this.#open()
    return this.#track(this.#list(prefixBytes(prefix), options))
  }

  async commit(changes: readonly StoreChange[], { durable = false }: { durable?: boolean } = {}): Promise<Map<string, number>> {
    this.#open()
    return this.#commit(checkChanges(changes), durable)
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
    await this.#database.close()
  }

  async #list(prefix: Buffer, { after, limit = Infinity }: ListOptions): Promise<StoreEntry[]> {
    const entries: StoreEntry[] = []
    this.#database.resetReadTxn()
    const transaction = this.#database.useReadTransaction()
    try {
      let start = prefix.length === 0 ? FIRST_USER_KEY : prefix
      let exclusiveStart = false
      if (after !== undefined && keyBytes(after).compare(start) >= 0) {
        start = keyBytes(after)
        exclusiveStart = true
      }
      const end = prefix.length === 0 ? undefined : successor(prefix)
      for (;;) {
        const chunk = Math.min(CHUNK, limit - entries.length)
        const before = entries.length
        for (const { key, value } of this.#database.getRange({ start, end, exclusiveStart, limit: chunk, transaction })) {
          entries.push(this.#entry(key, value))
        }
        if (entries.length - before < CHUNK) return entries
        start = Buffer.from(entries.at(-1)!.key)
        exclusiveStart = true
        await nextTurn()
      }
    } finally {
      transaction.done()
    }
  }

  async #commit(changes: CheckedChange[], durable: boolean): Promise<Map<string, number>> {
    const versions = new Map<string, number>()
    let made: Made = { version: 0, changes: [] }
    let acknowledge = (): void => undefined
    const visible = new Promise<void>((resolve) => (acknowledge = resolve))
    const write = (): void => {
      made = this.#write(changes, versions)
    }
    const flushed = this.#track(
      this.#commits.run(write, () => {
        this.#watchers.committed(made.version, made.changes)
        acknowledge()
      }),
    )
    try {
      await (durable ? flushed : Promise.race([visible, flushed]))
    } catch (error) {
      throw await storeError(this.#directory, 'commit', error)
    }
    return versions
  }

  /** Runs inside of a write transaction. Everything is compared before anything is written: a failure leaves nothing. */
  #write(changes: CheckedChange[], versions: Map<string, number>): Made {
    const present = changes.map((change) => {
      const record = this.#read(change.bytes)
      requireExpected(change, record?.version)
      return record !== undefined
    })
    const counter = this.#read(COUNTER_KEY)
    if (counter === undefined) throw corrupt(this.#directory, 'the commit counter is missing')
    const version = counter.version + 1
    this.#put(COUNTER_KEY, { version, text: 'null' })
    const made = changes.filter(({ action }, index) => action === 'put' || (action === 'delete' && present[index]))
    for (const { key, bytes, action, text } of made) {
      if (action === 'delete') void this.#database.remove(bytes)
      else this.#put(bytes, { version, text })
      if (action === 'put') versions.set(key, version)
    }
    return { version, changes: made }
  }

  #put(key: Buffer, record: StoredRecord): void {
    void this.#database.put(key, encodeRecord(key, record))
  }

  #read(key: Buffer): StoredRecord | undefined {
    const bytes = this.#database.getBinary(key)
    return bytes === undefined ? undefined : this.#decode(key, bytes)
  }

  #entry(key: Buffer, bytes: Buffer): StoreEntry {
    const { text, version } = this.#decode(key, bytes)
    return { key: key.toString(), value: JSON.parse(text), version }
  }

  #decode(key: Buffer, bytes: Buffer): StoredRecord {
    const record = decodeRecord(key, bytes)
    if (record === undefined) throw corrupt(this.#directory, `the record ${JSON.stringify(key.toString())} does not match its checksum`)
    return record
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

/** The first key after all that begin with a prefix. UTF-8 has no byte 0xff, so the last byte can always grow. */
function successor(prefix: Buffer): Buffer {
  const next = Buffer.from(prefix)
  next[next.length - 1]! += 1
  return next
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
    const database = await openEnvironment(dataFile(directory))
    try {
      requireFormat(directory, database)
      return new LmdbStore(directory, database)
    } catch (error) {
      await database.close()
      throw error
    }
  } catch (error) {
    throw await storeError(directory, 'open', error)
  }
}

/** What a new file begins with. */
async function fill(database: RootDatabase<Buffer, Buffer>): Promise<void> {
  await database.transaction(() => {
    void database.put(FORMAT_KEY, encodeRecord(FORMAT_KEY, { version: 0, text: FORMAT }))
    void database.put(COUNTER_KEY, encodeRecord(COUNTER_KEY, { version: 0, text: 'null' }))
  })
  await database.flushed
}

function requireFormat(directory: string, database: RootDatabase<Buffer, Buffer>): void {
  const bytes = database.getBinary(FORMAT_KEY)
  const text = bytes && decodeRecord(FORMAT_KEY, bytes)?.text
  if (text === undefined) throw corrupt(directory, 'the record of its format is missing')
  if (text !== FORMAT) {
    throw new CnmError('ERR_CNM_STORE', `the store in ${directory} has a format of another release of libcnm: ${text}`, { object: directory })
  }
}
