import {
  close,
  EPOLLIN,
  MSG_DONTWAIT,
  sendTo,
  type Arena,
  type Datagrams,
  type EventLoop,
  type Handler,
} from '../../../src/kernel/loop/index.js'
import type { Question } from '../wire/question.js'
import { udpLimit } from '../wire/response.js'
import type { Answerer, Client, Source } from './answerer.js'
import type { Sandbox } from './sandbox.js'

/** What all listeners share. */
export interface UdpServing {
  loop: EventLoop
  arena: Arena
  incoming: Datagrams
  answerer: Answerer
  /** Makes room for a burst of questions in the socket. */
  receiveBuffer(fd: number): void
  /** Called after questions were taken and before they are answered: takes in changes that were made before they were asked. */
  catchUp(): void
}

/** Batches at a turn; then other sandboxes are served. */
const BATCHES = 2

/** More than one program asks at a time (that it asks for A and AAAA is usual): the next questions are near. */
const MANY = 3

/** A sandbox's UDP socket. */
export class UdpListener implements Handler, Source {
  #closed = false

  constructor(
    readonly fd: number,
    readonly sandbox: Sandbox,
    private readonly serving: UdpServing,
  ) {
    serving.receiveBuffer(fd)
    serving.loop.add(this, EPOLLIN)
  }

  ready(): void {
    const { incoming, answerer } = this.serving
    for (let batch = 0; batch < BATCHES; batch++) {
      const count = incoming.receive(this.fd)
      if (count <= 0) return
      this.serving.catchUp()
      if (count >= MANY) this.serving.loop.eager = true
      for (let i = 0; i < count; i++) {
        incoming.setAnswer(i, answerer.answer(incoming.bytes, incoming.at(i), incoming.length(i), this, i))
      }
      // A change that came with them may have been our own removal.
      if (!this.#closed) incoming.answer(this.fd, count)
      incoming.reset(count)
      if (count < incoming.count || this.#closed) return
    }
  }

  limit(question: Question): number {
    return udpLimit(question)
  }

  /** Who sent datagram `i`, to be answered when the slot has long been used again. */
  client(i: number): Client {
    const { incoming, arena } = this.serving
    const from = incoming.addressAt(i)
    const address = Buffer.from(arena.bytes.subarray(from, from + incoming.addressLength(i)))
    return { send: (at, length) => this.#send(at, length, address) }
  }

  #send(at: number, length: number, address: Buffer): void {
    if (this.#closed) return
    const { arena, incoming } = this.serving
    const to = incoming.spareAddress
    address.copy(arena.bytes, to)
    sendTo(this.fd, arena.address(at), length, MSG_DONTWAIT, arena.address(to), address.length)
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.serving.loop.remove(this)
    close(this.fd)
  }
}
