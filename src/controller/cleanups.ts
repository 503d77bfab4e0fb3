import type { Emit } from './core.js'
import type { Serial } from './serial.js'
import type { Troubles } from './troubles.js'

/** A removal, or the undoing of something, that has to be finished. It can be begun anew after every failure. */
export interface Cleanup {
  /** Whose it is, `network/<id>`: there is one at a time. */
  about: string
  /** For people: `network front`. */
  what: string
  /** What must be held meanwhile. */
  keys: readonly string[]
  work: () => Promise<void>
}

const FIRST_MS = 200
const LONGEST_MS = 60_000

/**
 * What could not be cleaned up yet. Until it is, whoever it belongs to stays, with its name, its addresses and its ports;
 * it is tried again, at ever longer intervals, and at the next start.
 */
export class Cleanups {
  readonly #parts: { serial: Serial; troubles: Troubles; emit: Emit }
  readonly #pending = new Map<string, { cleanup: Cleanup; delay: number; timer: NodeJS.Timeout | undefined }>()
  #running: Promise<void> = Promise.resolve()
  #closed = false

  constructor(parts: { serial: Serial; troubles: Troubles; emit: Emit }) {
    this.#parts = parts
  }

  /** Does the work for a caller who holds the keys. What fails is tried again later. @throws what the work throws */
  async run(cleanup: Cleanup): Promise<void> {
    try {
      await cleanup.work()
      this.#done(cleanup.about)
    } catch (error) {
      this.later(cleanup, error)
      throw error
    }
  }

  /** It has failed, and is to be tried again. */
  later(cleanup: Cleanup, error: unknown): void {
    const { troubles, emit } = this.#parts
    const before = this.#pending.get(cleanup.about)
    clearTimeout(before?.timer)
    const delay = before === undefined ? FIRST_MS : Math.min(before.delay * 2, LONGEST_MS)
    const pending = { cleanup, delay, timer: undefined as NodeJS.Timeout | undefined }
    this.#pending.set(cleanup.about, pending)
    const reason = `${cleanup.what}: clean-up pending: ${error instanceof Error ? error.message : String(error)}`
    if (troubles.reason(cleanup.about) !== reason) emit('warning', { message: reason, about: cleanup.about.split('/')[1] })
    troubles.set(cleanup.about, reason)
    if (!this.#closed) pending.timer = setTimeout(() => void (this.#running = this.#tryAgain(cleanup)), delay).unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const { timer } of this.#pending.values()) clearTimeout(timer)
    await this.#running
  }

  async #tryAgain(cleanup: Cleanup): Promise<void> {
    await this.#parts.serial.run(cleanup.keys, async () => {
      // Somebody may have done it meanwhile, by hand.
      if (this.#closed || this.#pending.get(cleanup.about)?.cleanup !== cleanup) return
      await this.run(cleanup).catch(() => undefined)
    })
  }

  #done(about: string): void {
    clearTimeout(this.#pending.get(about)?.timer)
    this.#pending.delete(about)
    this.#parts.troubles.clear(about)
  }
}
