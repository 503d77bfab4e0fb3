import type { RootDatabase } from 'lmdb'

/** The part of lmdb's native environment that tells how far a batch of writes is. */
interface NativeEnvironment {
  startWriting(address: number, progress: (status: number) => unknown): unknown
}

/** lmdb's write thread holds the write lock and wants the callbacks of transactions run. */
const RUN_CALLBACKS = 2
/** The page cache has the transaction, everybody can see it, and it is being flushed. Any other status is the end. */
const VISIBLE = 1
const FLUSHED = 0

/** What one lmdb transaction holds: commits of ours that met. */
interface Batch {
  state: 'running' | 'visible' | 'failed'
  tell: (() => void)[]
}

/**
 * Commits that are acknowledged when the page cache has them. lmdb's own promise comes after the flush, 0.3-0.6 ms
 * later; this listens in on what its write thread reports. Where the report of visibility does not come (another
 * release of lmdb), the end of the flush decides, and commits are only slower.
 */
export class LmdbCommits {
  readonly #database: RootDatabase<Buffer, Buffer>
  /** In the order in which lmdb ran them, which is the order of commits. */
  readonly #batches: Batch[] = []
  #running: Batch | undefined

  constructor(database: RootDatabase<Buffer, Buffer>) {
    this.#database = database
    const environment = (database as unknown as { env: NativeEnvironment }).env
    const start = environment.startWriting.bind(environment)
    Object.defineProperty(environment, 'startWriting', {
      value: (address: number, progress: (status: number) => unknown) => {
        const batch: Batch = { state: 'running', tell: [] }
        return start(address, (status) => (status === RUN_CALLBACKS ? this.#run(batch, progress) : this.#report(batch, status, progress)))
      },
    })
  }

  /**
   * Runs `write` on this thread while lmdb's thread holds the write lock of the file. `visible` is called as soon as
   * others can see what was written, in the order of commits; the promise settles after the flush.
   */
  run(write: () => void, visible: () => void): Promise<void> {
    return this.#database.transaction(() => {
      write()
      this.#running?.tell.push(visible)
    })
  }

  #run(batch: Batch, progress: (status: number) => unknown): unknown {
    this.#batches.push(batch)
    this.#running = batch
    try {
      return progress(RUN_CALLBACKS)
    } finally {
      this.#running = undefined
    }
  }

  #report(batch: Batch, status: number, progress: (status: number) => unknown): unknown {
    if (batch.state === 'running') batch.state = status === VISIBLE || status === FLUSHED ? 'visible' : 'failed'
    // Reads of one turn share a snapshot, which is from before this commit.
    this.#database.resetReadTxn()
    // A report may overtake that of an earlier batch, which is then on its way.
    while (this.#batches.length > 0 && this.#batches[0]!.state !== 'running') {
      const { state, tell } = this.#batches.shift()!
      if (state === 'visible') for (const visible of tell) visible()
    }
    return progress(status)
  }
}
