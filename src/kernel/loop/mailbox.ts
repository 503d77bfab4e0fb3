import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import type { Arena } from './arena.js'
import type { EventLoop, Handler } from './event-loop.js'
import { EPOLLIN, eventFd, read, SOCK_CLOEXEC, SOCK_NONBLOCK } from './system-calls.js'

/**
 * Messages for a thread that blocks in epoll_wait(2). Whoever posts one sets the shared word, and on its change from 0
 * writes to the eventfd; the word alone tells, for the price of one atomic read, whether there is anything to take in.
 */
export class Mailbox<Message> implements Handler {
  readonly fd: number
  readonly #unread: Int32Array
  readonly #room: number
  readonly #address: number

  constructor(
    private readonly port: MessagePort,
    unread: SharedArrayBuffer,
    loop: EventLoop,
    arena: Arena,
    private readonly handle: (message: Message) => void,
  ) {
    this.#unread = new Int32Array(unread)
    this.#room = 8
    this.#address = arena.address(arena.take(this.#room))
    this.fd = eventFd(0, SOCK_CLOEXEC | SOCK_NONBLOCK)
    if (this.fd < 0) throw new Error(`eventfd: errno ${-this.fd}`)
    loop.add(this, EPOLLIN)
  }

  ready(): void {
    read(this.fd, this.#address, this.#room)
    this.takeIn()
  }

  /** Handles every message posted so far. */
  takeIn(): void {
    if (Atomics.load(this.#unread, 0) === 0) return
    Atomics.store(this.#unread, 0, 0)
    for (;;) {
      const next = receiveMessageOnPort(this.port)
      if (next === undefined) return
      this.handle(next.message as Message)
    }
  }
}
