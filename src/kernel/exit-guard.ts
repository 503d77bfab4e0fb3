const STOP = 0
const STATE = 1
const IDLE = 0
const BUSY = 1
/** Longer than any removal takes; then whatever is stuck must not keep the process. */
const PATIENCE = 60_000

/**
 * Lets the kernel thread finish what it has begun before the process ends. Node stops a thread wherever it is; in the
 * middle of a native call that has something to tell to JavaScript, that aborts the process (koffi, as every addon that
 * throws through node-addon-api), and in the middle of a transaction it would leave half of it behind.
 */
export class ExitGuard {
  readonly buffer: SharedArrayBuffer
  readonly #state: Int32Array

  /** Without a buffer: a new one, whose thread is busy starting. */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT)
    this.#state = new Int32Array(this.buffer)
    if (buffer === undefined) this.#state[STATE] = BUSY
  }

  /** The program's side, when the process ends: nothing more is begun; waits for what is under way. */
  stop(): void {
    Atomics.store(this.#state, STOP, 1)
    Atomics.wait(this.#state, STATE, BUSY, PATIENCE)
  }

  /** The thread's side: it may begin with something. False when the process is ending. */
  begin(): boolean {
    // In this order: either the program sees that the thread is busy, or the thread sees that it is to stop.
    Atomics.store(this.#state, STATE, BUSY)
    if (!this.stopped) return true
    this.end()
    return false
  }

  get stopped(): boolean {
    return Atomics.load(this.#state, STOP) === 1
  }

  end(): void {
    Atomics.store(this.#state, STATE, IDLE)
    Atomics.notify(this.#state, STATE)
  }
}
