import { randomBytes } from 'node:crypto'
import { type CheckedChange, requireExpected } from './changes.js'
import { COUNTER_KEY, type LmdbDatabase, markKey } from './lmdb-database.js'
import { onProgress } from './lmdb-progress.js'

/** Told in the order of commits. */
export interface CommitListener {
  /** The page cache has it, everybody can see it. */
  made(version: number): void
  failed(error: unknown): void
}

interface Pending {
  readonly changes: readonly CheckedChange[]
  readonly listener: CommitListener
  /** Number that it gets if it succeeds. */
  version: number
  /** Which series of numbers that one belongs to. */
  series: number
  /** What it leaves behind if it succeeds. The number is not enough: another series may give it again. */
  mark: string
  /** `again`: somebody else got the number, or what was expected is so by now. */
  outcome: 'unknown' | 'made' | 'again' | { error: unknown }
}

/** What lmdb says of a commit: `missed` when the counter was not where the commit expected it. */
type Reported = 'made' | 'refused' | 'missed' | { error: unknown }

/**
 * Commits as instructions that lmdb's write thread carries out by itself: conditions are blocks in blocks, the outermost
 * that the counter is where the last commit left it. Nothing waits for this thread, and so nothing keeps the process
 * from ending (a transaction with a callback does: process.exit() would never return).
 *
 * What became of a commit is read from the database as soon as it can be seen there: the counter says that its turn has
 * been, its mark that its conditions held.
 */
export class LmdbCommits {
  readonly #database: LmdbDatabase
  /** Tells our marks from those of others who use the file. */
  readonly #nonce = randomBytes(9).toString('base64')
  #attempts = 0
  /** In the order in which they are carried out. */
  readonly #pending: Pending[] = []
  /** The number given last, in a series that ends when another process commits, or a commit fails for good. */
  #version: number
  #series = 0

  constructor(database: LmdbDatabase) {
    this.#database = database
    this.#version = this.#counter()
    onProgress(database.lmdb, () => this.#settle())
  }

  /** Settles after the flush, whatever became of the commit. @returns why it could not be flushed, though it was made */
  async run(changes: readonly CheckedChange[], listener: CommitListener): Promise<unknown> {
    const pending: Pending = { changes, listener, version: 0, series: 0, mark: '', outcome: 'unknown' }
    for (;;) {
      const reported = await this.#attempt(pending)
      this.#conclude(pending, reported)
      if (pending.outcome !== 'again') return typeof reported === 'object' ? reported.error : undefined
    }
  }

  async #attempt(pending: Pending): Promise<Reported> {
    try {
      const [isTurn, ...held] = await Promise.all(this.#queue(pending))
      return !isTurn ? 'missed' : held.every(Boolean) ? 'made' : 'refused'
    } catch (error) {
      // Beside the error comes a promise with its reason, which nobody may be interested in.
      void (error as { commitError?: Promise<never> }).commitError?.catch(() => undefined)
      return { error }
    }
  }

  /** What lmdb's promises say decides where the database has not told. */
  #conclude(pending: Pending, reported: Reported): void {
    this.#database.refresh()
    try {
      if (pending.outcome === 'unknown') {
        if (typeof reported === 'object') pending.outcome = reported
        else pending.outcome = reported === 'made' ? 'made' : this.#refusal(pending)
      }
      if (typeof reported === 'object' || reported === 'missed') this.#endSeries(pending)
    } catch (error) {
      pending.outcome = { error }
    }
    this.#settle()
  }

  /** @returns whether each block was entered, the outermost first */
  #queue(pending: Pending): Promise<boolean>[] {
    const { lmdb } = this.#database
    const previous = this.#version
    const version = ++this.#version
    Object.assign(pending, { version, series: this.#series, mark: `${this.#nonce}/${++this.#attempts}`, outcome: 'unknown' })
    const before = this.#pending.indexOf(pending)
    if (before >= 0) this.#pending.splice(before, 1)
    this.#pending.push(pending)
    const conditions = pending.changes.filter(({ expect }) => expect !== undefined)
    const blocks: Promise<boolean>[] = []
    // Nothing may follow an inner block: lmdb would carry it out in any case.
    const enter = (index: number): void => {
      const condition = conditions[index]
      if (condition === undefined) return this.#write(pending)
      const inner = () => enter(index + 1)
      const { bytes, expect } = condition
      blocks.unshift(typeof expect === 'number' ? lmdb.ifVersion(bytes, expect, inner) : lmdb.ifNoExists(bytes, inner))
    }
    blocks.unshift(
      lmdb.ifVersion(COUNTER_KEY, previous, () => {
        this.#database.put(COUNTER_KEY, { version, text: '' })
        enter(0)
      }),
    )
    return blocks
  }

  #write({ changes, version, mark }: Pending): void {
    for (const { bytes, action, text } of changes) {
      if (action === 'put') this.#database.put(bytes, { version, text })
      if (action === 'delete') this.#database.remove(bytes)
    }
    this.#database.put(markKey(version), { version, text: mark })
  }

  /** Tells what is known by now, up to the first commit of which nothing is known. */
  #settle(): void {
    if (this.#pending.length === 0) return
    this.#database.refresh()
    let counter: number | undefined
    const reached = (): number => (counter ??= this.#counter())
    for (let pending = this.#pending[0]; pending !== undefined; pending = this.#pending[0]) {
      if (pending.outcome === 'unknown') this.#look(pending, reached)
      if (pending.outcome === 'unknown') return
      this.#pending.shift()
      if (pending.outcome === 'made') pending.listener.made(pending.version)
      else if (pending.outcome !== 'again') pending.listener.failed(pending.outcome.error)
    }
  }

  /** Looks what can be seen. Without a mark its turn may have been somebody else's: lmdb's promises say more, later. */
  #look(pending: Pending, reached: () => number): void {
    try {
      if (pending.version > reached()) return
      const mark = this.#database.read(markKey(pending.version))
      if (mark?.text === pending.mark) pending.outcome = 'made'
      else if (mark === undefined || mark.version <= pending.version) {
        const refusal = this.#refusal(pending)
        if (refusal !== 'again') pending.outcome = refusal
      }
    } catch (error) {
      pending.outcome = { error }
    }
  }

  /** Why it was not made; `again` when its expectations are met by now. */
  #refusal({ changes }: Pending): 'again' | { error: unknown } {
    try {
      for (const change of changes) requireExpected(change, this.#database.read(change.bytes)?.version)
      return 'again'
    } catch (error) {
      return { error }
    }
  }

  /** Numbers that were given after this one will not come to their turn. */
  #endSeries({ series }: Pending): void {
    if (series !== this.#series) return
    this.#series++
    this.#version = this.#counter()
  }

  #counter(): number {
    return this.#database.read(COUNTER_KEY)?.version ?? 0
  }
}
