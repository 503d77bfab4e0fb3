import { NOERROR, NXDOMAIN } from '../wire/constants.js'
import type { ForwardedAnswer } from './answer.js'

interface Entry {
  answer: ForwardedAnswer
  expires: number
  bytes: number
}

/** Bytes that an entry costs beside its message, as the process grows: key, objects, slot in the map, allocation. Measured. */
const OVERHEAD = 1200

/**
 * Answers of servers, for as long as their TTLs allow. Bounded by memory: what was not used for longest goes first.
 */
export class AnswerCache {
  readonly #entries = new Map<string, Entry>()
  #bytes = 0

  /**
   * @param limit bytes
   * @param longest seconds a positive answer is kept at most
   * @param longestDenial the same for denials
   */
  constructor(
    readonly limit: number,
    readonly longest: number,
    readonly longestDenial: number,
  ) {}

  get(key: string, now: number): ForwardedAnswer | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.expires <= now) {
      this.#bytes -= entry.bytes
      return undefined
    }
    this.#entries.set(key, entry)
    return entry.answer
  }

  put(key: string, answer: ForwardedAnswer): void {
    const seconds = Math.min(answer.ttl, answer.denial ? this.longestDenial : this.longest)
    if (seconds === 0 || answer.truncated || (answer.code !== NOERROR && answer.code !== NXDOMAIN)) return
    this.#remove(key)
    const bytes = answer.message.length + key.length + answer.ttls.length * 8 + OVERHEAD
    if (bytes > this.limit / 16) return
    this.#entries.set(key, { answer, expires: answer.receivedAt + seconds * 1000, bytes })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.limit) break
      this.#remove(oldest)
    }
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#bytes -= entry.bytes
  }

  /** Everything, or what begins with `prefix`. */
  clear(prefix = ''): void {
    for (const key of this.#entries.keys()) if (key.startsWith(prefix)) this.#remove(key)
  }

  get size(): number {
    return this.#entries.size
  }

  get bytes(): number {
    return this.#bytes
  }
}
