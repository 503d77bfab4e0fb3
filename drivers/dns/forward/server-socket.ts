import { close, EAGAIN, EINTR, EPOLLIN, MSG_DONTWAIT, MSG_NOSIGNAL, send, type Handler } from '../../../src/kernel/loop/index.js'
import type { ServerIo } from './io.js'
import type { Asker } from './server.js'

/** One question, out at one server. */
export interface Attempt {
  readonly id: number
  /** Header and question exactly as sent, to compare the answer with. */
  readonly sent: Buffer
  readonly sentAt: number
  /** Told once. Without one an answer still counts as a sign of life. */
  asker: Asker | undefined
}

export interface SocketOwner {
  received(socket: ServerSocket, bytes: Buffer, at: number, length: number): void
  /** The kernel says that nobody is there: port closed, no route, forbidden. */
  unreachable(socket: ServerSocket): void
}

/** Batches of datagrams at a turn; then others are served. */
const BATCHES = 2

/**
 * A UDP socket connected to one server, on a random port of the kernel's choice. Being connected, it is given only what
 * comes from that address and port; questions are told apart by id.
 */
export class ServerSocket implements Handler {
  /** By id, oldest first. */
  readonly attempts = new Map<number, Attempt>()
  #closed = false
  readonly #io: ServerIo
  readonly #owner: SocketOwner

  constructor(
    readonly fd: number,
    readonly openedAt: number,
    io: ServerIo,
    owner: SocketOwner,
  ) {
    this.#io = io
    this.#owner = owner
    io.loop.add(this, EPOLLIN)
  }

  /** Sends a message that lies in the arena. @returns whether the kernel took it */
  send(at: number, length: number): boolean {
    return send(this.fd, this.#io.arena.address(at), length, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0
  }

  /** An id that no question on this socket has. */
  freshId(): number {
    for (;;) {
      const id = this.#io.random()
      if (!this.attempts.has(id)) return id
    }
  }

  ready(): void {
    const { incoming } = this.#io
    for (let batch = 0; batch < BATCHES && !this.#closed; batch++) {
      const count = incoming.receive(this.fd)
      if (count === -EAGAIN || count === -EINTR) return
      if (count < 0) return this.#owner.unreachable(this)
      for (let i = 0; i < count; i++) {
        if (!incoming.cut(i)) this.#owner.received(this, incoming.bytes, incoming.at(i), incoming.length(i))
      }
      incoming.reset(count)
      if (count < incoming.count) return
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#io.loop.remove(this)
    close(this.fd)
  }
}
