import type { Arena } from './arena.js'
import { EAGAIN, EINTR, MSG_DONTWAIT, MSG_NOSIGNAL, send } from './system-calls.js'

/** Sends on a stream socket, and keeps what its peer does not take yet. */
export class Unsent {
  #pieces: Buffer[] = []
  #bytes = 0
  readonly #fd: number
  readonly #arena: Arena
  readonly #room: number

  /** @param room offset in the arena of room for one message with its length, used only during a call */
  constructor(fd: number, arena: Arena, room: number) {
    this.#fd = fd
    this.#arena = arena
    this.#room = room
  }

  /** What is kept. */
  get bytes(): number {
    return this.#bytes
  }

  /** Sends bytes of the arena. @returns false: the connection is broken */
  send(at: number, length: number): boolean {
    const sent = this.#bytes > 0 ? 0 : this.#trySend(at, length)
    if (sent < 0) return false
    if (sent < length) {
      this.#pieces.push(Buffer.from(this.#arena.bytes.subarray(at + sent, at + length)))
      this.#bytes += length - sent
    }
    return true
  }

  /** @returns bytes sent, or -1 */
  #trySend(at: number, length: number): number {
    const sent = send(this.#fd, this.#arena.address(at), length, MSG_DONTWAIT | MSG_NOSIGNAL)
    if (sent >= 0) return sent
    return sent === -EAGAIN || sent === -EINTR ? 0 : -1
  }

  /** Sends what is kept, as far as the peer takes it. @returns false: the connection is broken */
  flush(): boolean {
    while (this.#pieces.length > 0) {
      const piece = this.#pieces[0]!
      piece.copy(this.#arena.bytes, this.#room)
      const sent = this.#trySend(this.#room, piece.length)
      if (sent < 0) return false
      this.#bytes -= sent
      if (sent < piece.length) {
        this.#pieces[0] = piece.subarray(sent)
        return true
      }
      this.#pieces.shift()
    }
    return true
  }
}
