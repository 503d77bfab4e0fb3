import {
  close,
  EAGAIN,
  EINTR,
  EPOLLIN,
  EPOLLOUT,
  MSG_DONTWAIT,
  receive,
  Timer,
  Unsent,
  type Handler,
} from '../../../src/kernel/loop/index.js'
import { HEADER, MAX_MESSAGE } from '../wire/constants.js'
import { LATER, type Client, type Source } from './answerer.js'
import type { Sandbox } from './sandbox.js'
import type { TcpServing } from './tcp-listener.js'

/** Largest question: a name, and some options. */
const MAX_QUESTION = 4096
const PREFIX = 2

/**
 * A client's TCP connection: any number of questions, each with its length before it, answered as answers come
 * (RFC 7766). Everything it holds is bounded: unread bytes, open questions, unsent answers, time.
 */
export class TcpConnection implements Handler, Source, Client {
  /** What was read and not answered: part of a question, or more questions than may be open. */
  #rest: Buffer | undefined
  readonly #unsent: Unsent
  /** Questions whose answers come later. */
  #open = 0
  /** The question at hand is one of them. */
  #deferred = false
  #taking = false
  /** The client sends no more. */
  #ended = false
  #closed = false
  #interest = EPOLLIN
  readonly #idle = new Timer(() => this.close())

  constructor(
    readonly fd: number,
    readonly sandbox: Sandbox,
    private readonly serving: TcpServing,
  ) {
    this.#unsent = new Unsent(fd, serving.arena, serving.output)
    sandbox.connections++
    serving.loop.add(this, EPOLLIN)
    this.#active()
  }

  limit(): number {
    return MAX_MESSAGE
  }

  client(): Client {
    this.#open++
    this.#deferred = true
    return this
  }

  ready(events: number): void {
    if ((events & EPOLLOUT) !== 0 && !this.#unsent.flush()) return this.close()
    if ((events & this.#interest & EPOLLIN) !== 0) this.#read()
    else if ((events & ~(EPOLLIN | EPOLLOUT)) !== 0) this.close()
    this.#update()
  }

  #read(): void {
    const { arena, input, inputSize } = this.serving
    const before = this.#rest?.length ?? 0
    this.#rest?.copy(arena.bytes, input)
    const count = receive(this.fd, arena.address(input + before), inputSize - before, MSG_DONTWAIT)
    if (count === -EAGAIN || count === -EINTR) return
    if (count < 0) return this.close()
    if (count === 0) {
      this.#ended = true
      return
    }
    this.serving.catchUp()
    this.#take(input, input + before + count)
  }

  /** Answers the whole questions between two offsets and keeps what is left. */
  #take(from: number, end: number): void {
    const { bytes } = this.serving.arena
    let at = from
    this.#taking = true
    while (!this.#closed && end - at >= PREFIX && this.#mayTake()) {
      const length = bytes.readUInt16BE(at)
      if (length > MAX_QUESTION || length < HEADER) return this.close()
      if (end - at - PREFIX < length) break
      this.#answer(at + PREFIX, length)
      at += PREFIX + length
    }
    this.#taking = false
    if (this.#closed) return
    if (at > from) this.#active()
    this.#rest = at < end ? Buffer.from(bytes.subarray(at, end)) : undefined
  }

  #mayTake(): boolean {
    return this.#open < this.serving.tuning.pipelined && this.#unsent.bytes === 0
  }

  #answer(at: number, length: number): void {
    const { arena, output, answerer } = this.serving
    const place = output + PREFIX
    arena.bytes.copyWithin(place, at, at + length)
    this.#deferred = false
    const answer = answerer.answer(arena.bytes, place, length, this, 0)
    if (answer !== LATER) this.#write(place, answer)
    // No question at all: what follows will hardly make sense either.
    else if (!this.#deferred) this.close()
  }

  /** An answer that came later; there is room for the length before it. */
  send(at: number, length: number): void {
    if (this.#closed) return
    this.#open--
    this.#write(at, length)
    if (this.#taking || this.#closed) return
    this.#resume()
    this.#update()
  }

  #write(at: number, length: number): void {
    this.serving.arena.bytes.writeUInt16BE(length, at - PREFIX)
    if (!this.#unsent.send(at - PREFIX, length + PREFIX) || this.#unsent.bytes > this.serving.tuning.unsentBytes) this.close()
  }

  /** Goes on with questions that had to wait. */
  #resume(): void {
    if (this.#rest === undefined || !this.#mayTake()) return
    const { arena, input } = this.serving
    const { length } = this.#rest
    this.#rest.copy(arena.bytes, input)
    this.#take(input, input + length)
  }

  /** Tells the loop what to wait for; closes when everything is said. */
  #update(): void {
    if (this.#closed) return
    if (this.#unsent.bytes === 0) this.#resume()
    if (this.#closed) return
    const waits = this.#unsent.bytes > 0
    if (this.#ended && this.#open === 0 && !waits) return this.close()
    const interest = (!this.#ended && this.#mayTake() ? EPOLLIN : 0) | (waits ? EPOLLOUT : 0)
    if (interest === this.#interest) return
    this.#interest = interest
    this.serving.loop.change(this, interest)
  }

  #active(): void {
    const { loop, tuning, connections } = this.serving
    loop.timers.arm(this.#idle, loop.now + tuning.idle)
    // The set is kept in order of use.
    if (connections.delete(this)) connections.add(this)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.sandbox.connections--
    const { loop, connections } = this.serving
    connections.delete(this)
    loop.timers.cancel(this.#idle)
    loop.remove(this)
    close(this.fd)
    this.#rest = undefined
  }
}
