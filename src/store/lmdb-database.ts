import type { RootDatabase } from 'lmdb'
import { decodeRecord, encodeRecord, type StoredRecord } from './lmdb-record.js'

/** Keys of our own begin with a byte that the keys of users cannot contain. */
export const FORMAT_KEY = Buffer.from('\0format')
export const COUNTER_KEY = Buffer.from('\0version')
const FIRST_USER_KEY = Buffer.from([0x20])

/** A commit leaves a mark in one of so many records: more than are usually under way at once. */
const MARKS = 4096
export const markKey = (version: number): Buffer => Buffer.from(`\0mark/${version % MARKS}`)

/** Entries of one snapshot, as they lie in the file. */
export interface RawEntry {
  key: Buffer
  version: number
  value: Buffer
}

/** A record that does not match its checksum. */
export class DamagedRecord extends Error {
  constructor(key: Buffer) {
    super(`the record ${JSON.stringify(key.toString())} does not match its checksum`)
  }
}

/** lmdb's database with our records in it. */
export class LmdbDatabase {
  constructor(readonly lmdb: RootDatabase<Buffer, Buffer>) {}

  /** Lets the next reads see all that is committed: reads of one turn share a snapshot. */
  refresh(): void {
    this.lmdb.resetReadTxn()
  }

  /** @throws DamagedRecord */
  read(key: Buffer): StoredRecord | undefined {
    const entry = this.lmdb.getEntry(key)
    return entry && decoded(key, entry.version ?? 0, entry.value)
  }

  /** Queues a write for the block that is being made. */
  put(key: Buffer, record: StoredRecord): void {
    void this.lmdb.put(key, encodeRecord(key, record), record.version)
  }

  remove(key: Buffer): void {
    void this.lmdb.remove(key)
  }

  /** Entries of users' keys: from `from` on (or after it), below `below`, at most `limit`. In one go. */
  range(from: Buffer | undefined, exclusive: boolean, below: Buffer | undefined, limit: number): RawEntry[] {
    const found = this.lmdb.getRange({ start: from ?? FIRST_USER_KEY, exclusiveStart: exclusive, end: below, limit, versions: true })
    return [...found].map(({ key, value, version = 0 }) => ({ key, value, version }))
  }
}

/** @throws DamagedRecord */
export function decoded(key: Buffer, version: number, bytes: Buffer): StoredRecord {
  const record = decodeRecord(key, version, bytes)
  if (record === undefined) throw new DamagedRecord(key)
  return record
}
