/** Operations that go on in one turn of the event loop, and how long they may take together. */
const MOST = 8
const MOST_MS = 1

const NOW = Promise.resolve()

/**
 * Spreads operations over turns of the event loop, so that the program's own work is not kept waiting: those that it
 * begins all at once, and those that the store or the kernel answers together. One that comes alone goes on at once.
 */
export class Turns {
  readonly #waiting: (() => void)[] = []
  #left = MOST
  #begun = 0
  #counting = false
  readonly #now: () => number

  /** @param now the time in milliseconds, from wherever it is counted */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Fulfilled when it is the caller's turn. */
  take(): Promise<void> {
    if (!this.#counting) {
      this.#counting = true
      this.#begin()
      setImmediate(this.#next)
    }
    if (this.#left === 0 || this.#waiting.length > 0 || this.#isLong()) return new Promise((resolve) => this.#waiting.push(resolve))
    this.#left--
    return NOW
  }

  readonly #next = (): void => {
    this.#begin()
    this.#counting = this.#waiting.length > 0
    if (!this.#counting) return
    setImmediate(this.#next)
    this.#release()
  }

  /** One after the other: what it does once it goes on is done before the next one is looked at. */
  readonly #release = (): void => {
    if (this.#left === 0 || this.#isLong()) return
    this.#left--
    this.#waiting.shift()?.()
    if (this.#waiting.length > 0) queueMicrotask(this.#release)
  }

  #begin(): void {
    this.#left = MOST
    this.#begun = this.#now()
  }

  #isLong(): boolean {
    return this.#now() - this.#begun > MOST_MS
  }
}
