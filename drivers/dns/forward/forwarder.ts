import type { Question } from '../wire/question.js'
import { AD, CD, RD } from '../wire/constants.js'
import type { ForwardedAnswer } from './answer.js'
import { AnswerCache } from './cache.js'
import { Flight } from './flight.js'
import type { ServerIo } from './io.js'
import type { ServerGroup } from './server-group.js'
import type { Query } from './server.js'

/** Somebody who waits for the answer to a forwarded question. */
export interface Waiter {
  /** The server's answer; undefined: SERVFAIL. Called once. */
  answered(answer: ForwardedAnswer | undefined): void
}

interface Waiting {
  key: string
  flight: Flight
  waiters: Waiter[]
  group: ServerGroup
}

/**
 * Gets answers from servers: each question is asked once, however many wait for it, and not at all while its answer is
 * in the cache. What exceeds the limits waits in line, then is refused; nothing is dropped in silence.
 */
export class Forwarder {
  readonly cache: AnswerCache
  readonly #io: ServerIo
  readonly #waiting = new Map<string, Waiting>()
  readonly #line = new Set<Waiting>()
  #flying = 0
  #starting = false
  /** Questions sent on, and questions answered from those of others. */
  asked = 0
  joined = 0

  readonly #refresh: (group: ServerGroup) => void

  /** @param refresh called before a question goes to a group; may change its servers */
  constructor(io: ServerIo, refresh: (group: ServerGroup) => void) {
    this.#io = io
    this.#refresh = refresh
    this.cache = new AnswerCache(io.tuning.cacheBytes, io.tuning.cacheSeconds, io.tuning.negativeSeconds)
  }

  cached(key: string): ForwardedAnswer | undefined {
    return this.cache.get(key, this.#io.loop.now)
  }

  /** @returns false: too many questions are waiting already */
  ask(key: string, group: ServerGroup, query: Query, waiter: Waiter): boolean {
    const same = this.#waiting.get(key)
    if (same !== undefined) {
      this.joined++
      same.waiters.push(waiter)
      return true
    }
    const { tuning, loop } = this.#io
    this.#refresh(group)
    const mustWait = this.#flying >= tuning.inFlight
    if (mustWait && this.#line.size >= tuning.queued) return false
    const waiting: Waiting = {
      key,
      group,
      waiters: [waiter],
      flight: new Flight(this.#io, group.servers, query, (answer) => this.#done(waiting, answer)),
    }
    this.#waiting.set(key, waiting)
    waiting.flight.expectBy(loop.now + tuning.deadline)
    if (mustWait) this.#line.add(waiting)
    else this.#start(waiting)
    return true
  }

  #start(waiting: Waiting): void {
    this.#flying++
    this.asked++
    waiting.flight.start()
  }

  #done(waiting: Waiting, answer: ForwardedAnswer | undefined): void {
    this.#waiting.delete(waiting.key)
    if (!this.#line.delete(waiting)) this.#flying--
    if (answer !== undefined) this.cache.put(waiting.key, answer)
    for (const waiter of waiting.waiters) waiter.answered(answer)
    this.#startNext()
  }

  /** Not nested: a question that fails at once ends here again. */
  #startNext(): void {
    if (this.#starting) return
    this.#starting = true
    try {
      for (const next of this.#line) {
        if (this.#flying >= this.#io.tuning.inFlight) return
        this.#line.delete(next)
        this.#start(next)
      }
    } finally {
      this.#starting = false
    }
  }

  get waiting(): number {
    return this.#waiting.size
  }
}

/** What makes two questions the same: who is asked, and everything about the question that changes the answer. */
export function questionKey(group: ServerGroup, question: Question, bytes: Buffer): string {
  const bits = (bytes[question.start + 2]! & RD) | (bytes[question.start + 3]! & (CD | AD)) | (question.dnssecOk ? 2 : 0)
  return `${group.key}${String.fromCharCode(bits, question.type)}${question.name}`
}
