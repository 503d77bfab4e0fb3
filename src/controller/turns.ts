/** Operations that go on in one turn of the event loop: together they take a millisecond or two. */
const MOST = 8

/**
 * Spreads operations over turns of the event loop, so that the program's own work is not kept waiting: those that it
 * begins all at once, and those whose records reach the store together. One that comes alone goes on at once.
 */
export class Turns {
  readonly #waiting: (() => void)[] = []
  #left = MOST
  #counting = false

  /** Fulfilled when it is the caller's turn. */
  async take(): Promise<void> {
    if (!this.#counting) {
      this.#counting = true
      setImmediate(this.#next)
    }
    if (this.#left > 0) this.#left--
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  readonly #next = (): void => {
    const begin = this.#waiting.splice(0, MOST)
    this.#left = MOST - begin.length
    this.#counting = begin.length > 0
    if (this.#counting) setImmediate(this.#next)
    for (const resolve of begin) resolve()
  }
}
