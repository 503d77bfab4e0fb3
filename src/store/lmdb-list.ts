import { setImmediate as nextTurn } from 'node:timers/promises'
import type { JsonValue, StoreEntry } from '../contracts/store.js'
import { COUNTER_KEY, decoded, type LmdbDatabase, type RawEntry } from './lmdb-database.js'

/** Entries read, or decoded, in one turn of the event loop: about a millisecond. */
const CHUNK = 500

/** After so many beginnings that commits made useless, everything is read in one turn. */
const BEGINNINGS = 4

/**
 * Entries under a prefix as they were at one moment, without keeping the event loop from turning: read in parts, and
 * begun anew when a commit came between two parts.
 * @throws DamagedRecord
 */
export async function listEntries(database: LmdbDatabase, prefix: Buffer, after: Buffer | undefined, limit: number): Promise<StoreEntry[]> {
  const entries: StoreEntry[] = []
  for (const [index, { key, version, value }] of (await readAll(database, prefix, after, limit)).entries()) {
    if (index % CHUNK === CHUNK - 1) await nextTurn()
    const { text } = decoded(key, version, value)
    entries.push({ key: key.toString(), value: JSON.parse(text) as JsonValue, version })
  }
  return entries
}

async function readAll(database: LmdbDatabase, prefix: Buffer, after: Buffer | undefined, limit: number): Promise<RawEntry[]> {
  const below = prefix.length === 0 ? undefined : successor(prefix)
  const skips = after !== undefined && after.compare(prefix) >= 0
  const start = skips ? after : prefix.length === 0 ? undefined : prefix
  for (let beginning = 1; ; beginning++) {
    const chunk = beginning < BEGINNINGS ? CHUNK : Infinity
    database.refresh()
    const moment = database.read(COUNTER_KEY)?.version
    const found: RawEntry[] = []
    for (let [from, exclusive] = [start, skips]; ; exclusive = true) {
      const part = database.range(from, exclusive, below, Math.min(chunk, limit - found.length))
      // Not by spread: a call takes only so many arguments.
      for (const entry of part) found.push(entry)
      if (part.length < chunk) return found
      from = part.at(-1)!.key
      await nextTurn()
      database.refresh()
      if (database.read(COUNTER_KEY)?.version !== moment) break
    }
  }
}

/** The first key after all that begin with a prefix. UTF-8 has no byte 0xff, so the last byte can always grow. */
function successor(prefix: Buffer): Buffer {
  const next = Buffer.from(prefix)
  next[next.length - 1]! += 1
  return next
}
