import {
  close,
  EAGAIN,
  EINPROGRESS,
  EINTR,
  EPOLLERR,
  EPOLLHUP,
  EPOLLIN,
  EPOLLOUT,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  receive,
  send,
  SOCK_STREAM,
  Timer,
  type Handler,
  type Namespace,
} from '../../../src/kernel/loop/index.js'
import { answersQuestion, buildQuery } from './answer.js'
import type { ServerIo } from './io.js'
import type { Asker, Query, Server } from './server.js'

/** Milliseconds for the whole exchange. */
const PATIENCE = 3000

/** One question over one TCP connection: what a truncated answer asks for. */
export class TcpQuery implements Handler {
  fd = -1
  #id = 0
  #sent = 0
  #message: Buffer = Buffer.alloc(0)
  #length = 0
  #expected = -1
  #finished = false
  readonly #timer = new Timer(() => this.fail())

  constructor(
    private readonly server: Server,
    private readonly io: ServerIo,
    private readonly namespace: Namespace,
    private readonly query: Query,
    private readonly asker: Asker,
    private readonly done: () => void,
  ) {}

  start(): void {
    const { loop } = this.io
    this.fd = this.namespace.open(this.server.domain, SOCK_STREAM)
    if (this.fd < 0) return this.fail()
    const result = this.server.connect(this.fd)
    if (result < 0 && result !== -EINPROGRESS) {
      close(this.fd)
      this.fd = -1
      return this.fail()
    }
    loop.add(this, EPOLLOUT)
    loop.timers.arm(this.#timer, loop.now + PATIENCE)
  }

  ready(events: number): void {
    if ((events & (EPOLLERR | EPOLLHUP)) !== 0 && this.#length === 0 && (events & EPOLLIN) === 0) return this.fail()
    if (this.#sent === 0) this.#send()
    else this.#receive()
  }

  #send(): void {
    const { arena, scratch, loop } = this.io
    this.#id = this.io.random()
    const place = arena.bytes.subarray(scratch)
    const length = buildQuery(place.subarray(2), this.query.head, this.#id, !this.server.plain, this.query.dnssecOk)
    place.writeUInt16BE(length, 0)
    this.#sent = send(this.fd, arena.address(scratch), length + 2, MSG_DONTWAIT | MSG_NOSIGNAL)
    // A fresh connection takes a few hundred bytes whole, or is broken.
    if (this.#sent !== length + 2) return this.fail()
    loop.change(this, EPOLLIN)
  }

  #receive(): void {
    const { arena, scratch } = this.io
    const wanted = this.#expected === -1 ? 2 - this.#length : this.#expected - this.#length
    const count = receive(this.fd, arena.address(scratch), wanted, MSG_DONTWAIT)
    if (count === -EAGAIN || count === -EINTR) return
    if (count <= 0) return this.fail()
    if (this.#expected === -1) {
      if (this.#message.length === 0) this.#message = Buffer.alloc(2)
      arena.bytes.copy(this.#message, this.#length, scratch, scratch + count)
      this.#length += count
      if (this.#length < 2) return
      this.#expected = this.#message.readUInt16BE(0)
      this.#message = Buffer.alloc(this.#expected)
      this.#length = 0
      if (this.#expected < this.query.head.length) return this.fail()
      return
    }
    arena.bytes.copy(this.#message, this.#length, scratch, scratch + count)
    this.#length += count
    if (this.#length === this.#expected) this.#finish()
  }

  #finish(): void {
    const message = this.#message
    const right = message.readUInt16BE(0) === this.#id && answersQuestion(message, 0, message.length, this.query.head, false)
    if (!right) return this.fail()
    this.#end()
    this.asker.answered(this.server, message, 0, message.length)
  }

  fail(): void {
    if (this.#finished) return
    this.#end()
    this.asker.failed(this.server)
  }

  #end(): void {
    this.#finished = true
    this.io.loop.timers.cancel(this.#timer)
    if (this.fd >= 0) {
      this.io.loop.remove(this)
      close(this.fd)
      this.fd = -1
    }
    this.done()
  }
}
