import { Timer } from '../../../src/kernel/loop/index.js'
import { FORMERR, NOERROR, NOTIMP, NXDOMAIN, TC } from '../wire/constants.js'
import { readAnswer, type ForwardedAnswer } from './answer.js'
import { byHealth } from './health.js'
import type { ServerIo } from './io.js'
import type { Server, Asker, Query } from './server.js'
import type { Attempt } from './server-socket.js'

/** Milliseconds until servers that all kept silent are asked again. */
const AGAIN = 1000

/**
 * One question on its way: asks one server, the next when that one is slow or fails, and takes the first answer that
 * decides. A denial by a server that is further down the list than one still expected to answer waits for that one for
 * a moment: the first may know names that the second does not.
 */
export class Flight implements Asker {
  /** Servers still to ask in this round. */
  #ahead: Server[] = []
  readonly #out = new Map<Server, Attempt | undefined>()
  #held: { answer: ForwardedAnswer; rank: number } | undefined
  readonly #timer = new Timer(() => this.#patienceOver())
  readonly #deadline = new Timer(() => this.#finish(undefined))
  #finished = false

  /**
   * @param servers in configured order
   * @param done told once: the answer, or undefined when no server gave one in time
   */
  constructor(
    private readonly io: ServerIo,
    private readonly servers: readonly Server[],
    readonly query: Query,
    private readonly done: (answer: ForwardedAnswer | undefined) => void,
  ) {}

  /** The clock runs from here, also while {@link start} has to wait. */
  expectBy(when: number): void {
    this.io.loop.timers.arm(this.#deadline, when)
  }

  start(): void {
    this.#ahead = byHealth(this.servers)
    this.#askNext()
    // Suspects are tried beside the others now and then, to see whether they are back.
    const { now } = this.io.loop
    for (const server of [...this.#ahead]) if (!this.#finished && server.health.probe(now)) this.#ask(server)
  }

  #askNext(): void {
    for (;;) {
      const server = this.#ahead[0]
      if (server === undefined) return this.#noneLeft()
      if (this.#ask(server)) {
        const wait = this.#ahead.length > 0 ? server.health.hedge(this.io.tuning.hedge) : AGAIN
        this.io.loop.timers.arm(this.#timer, this.io.loop.now + wait)
        return
      }
    }
  }

  /** @returns whether the question is out */
  #ask(server: Server): boolean {
    this.#ahead = this.#ahead.filter((other) => other !== server)
    const attempt = server.ask(this.query, this)
    if (attempt === undefined) return false
    const before = this.#out.get(server)
    if (before !== undefined) before.asker = undefined
    this.#out.set(server, attempt)
    return true
  }

  /** All were asked: when nobody is left to answer, that is the end. */
  #noneLeft(): void {
    if (this.#out.size > 0) return
    this.#finish(this.#held?.answer)
  }

  #patienceOver(): void {
    if (this.#held !== undefined) return this.#finish(this.#held.answer)
    if (this.#ahead.length === 0) this.#ahead = byHealth(this.servers)
    this.#askNext()
  }

  answered(server: Server, bytes: Buffer, at: number, length: number): void {
    if (this.#finished) return
    const questionEnd = this.query.head.length
    if ((bytes[at + 2]! & TC) !== 0 && length <= 0xffff && this.#out.get(server) !== undefined) {
      this.#out.set(server, undefined)
      server.askTcp(this.query, this)
      return
    }
    const answer = readAnswer(bytes, at, length, questionEnd, this.io.loop.now)
    if (answer !== undefined && (answer.code === NOERROR || answer.code === NXDOMAIN)) return this.#decide(server, answer)
    // A server from before EDNS refuses the whole message (RFC 6891, 7).
    if (!server.plain && (answer?.code === FORMERR || answer?.code === NOTIMP)) {
      server.plain = true
      this.#out.delete(server)
      if (this.#ask(server)) return
    }
    this.failed(server)
  }

  #decide(server: Server, answer: ForwardedAnswer): void {
    this.#out.delete(server)
    const rank = this.servers.indexOf(server)
    const better = [...this.#out.keys()].some((other) => this.servers.indexOf(other) < rank && !other.health.suspect)
    if (!answer.denial || !better) return this.#finish(answer)
    if (this.#held === undefined || rank < this.#held.rank) this.#held = { answer, rank }
    this.io.loop.timers.arm(this.#timer, this.io.loop.now + this.io.tuning.hedge)
  }

  failed(server: Server): void {
    if (this.#finished) return
    this.#out.delete(server)
    if (this.#ahead.length > 0) this.#askNext()
    else this.#noneLeft()
  }

  #finish(answer: ForwardedAnswer | undefined): void {
    if (this.#finished) return
    this.#finished = true
    const { loop } = this.io
    loop.timers.cancel(this.#timer)
    loop.timers.cancel(this.#deadline)
    for (const [server, attempt] of this.#out) {
      if (attempt === undefined) continue
      attempt.asker = undefined
      // Somebody else had to answer.
      if (loop.now - attempt.sentAt >= server.health.hedge(this.io.tuning.hedge)) server.health.missed(loop.now)
    }
    this.done(answer)
  }
}
