/**
 * Runs work on one object after the other, and on different objects at the same time. Work that needs several
 * objects takes their keys together, in one order for everybody, so that nobody waits in a circle.
 */
export class Serial {
  readonly #tails = new Map<string, Promise<void>>()

  async run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
    const before: Promise<void>[] = []
    let finish!: () => void
    const tail = new Promise<void>((resolve) => (finish = resolve))
    // Every queue is entered at once, without waiting in between: two callers are in the same order in all of them.
    for (const key of new Set(keys)) {
      const previous = this.#tails.get(key)
      if (previous !== undefined) before.push(previous)
      this.#tails.set(key, tail)
    }
    try {
      if (before.length > 0) await Promise.all(before)
      return await work()
    } finally {
      for (const key of keys) if (this.#tails.get(key) === tail) this.#tails.delete(key)
      finish()
    }
  }

  /** Resolves when everything that was begun before has ended. */
  async idle(): Promise<void> {
    await Promise.all([...this.#tails.values()])
  }
}
