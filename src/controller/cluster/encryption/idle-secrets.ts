/** How long packets may be on their way with a key that is no longer used. */
const IN_FLIGHT_MS = 5_000

/** Which secrets of this host are used towards nobody, and have not been for a while. */
export class IdleSecrets {
  readonly #drop: (ids: ReadonlySet<number>) => void
  /** Since when, by id. */
  readonly #since = new Map<number, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(drop: (ids: ReadonlySet<number>) => void) {
    this.#drop = drop
  }

  /** @param ids of all secrets, the newest last: that one stays. @param sending what is used towards each other host */
  judge(ids: readonly number[], sending: readonly (number | undefined)[]): void {
    const used = new Set([...sending, ids.at(-1)])
    for (const id of this.#since.keys()) if (used.has(id) || !ids.includes(id)) this.#since.delete(id)
    for (const id of ids) if (!used.has(id) && !this.#since.has(id)) this.#since.set(id, performance.now())
    this.#wait()
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#since.clear()
  }

  #wait(): void {
    if (this.#timer !== undefined || this.#since.size === 0) return
    const due = Math.min(...this.#since.values()) + IN_FLIGHT_MS
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      const now = performance.now()
      const drop = [...this.#since].filter(([, since]) => since + IN_FLIGHT_MS <= now).map(([id]) => id)
      for (const id of drop) this.#since.delete(id)
      if (drop.length > 0) this.#drop(new Set(drop))
      this.#wait()
    }, due - performance.now()).unref()
  }
}
