import type { Arena } from './arena.js'
import { EAGAIN, EINTR, MSG_DONTWAIT, MSG_TRUNC, receiveMany, sendMany } from './system-calls.js'

const ADDRESS_SIZE = 28
const ADDRESS_SLOT = 32
const IOVEC_SIZE = 16
/** struct mmsghdr of 64-bit Linux: msghdr (56), length, padding. */
const HEADER_SIZE = 64
const NAME_LENGTH = 8
const FLAGS = 48
const LENGTH = 56

/**
 * Datagrams taken and sent many at a time, with recvmmsg(2) and sendmmsg(2), on buffers made once. An answer is written
 * over its question and goes back to where the question came from, from the same header.
 */
export class Datagrams {
  readonly bytes: Buffer
  readonly count: number
  /** Offset of room for one more address. */
  readonly spareAddress: number
  readonly #arena: Arena
  readonly #size: number
  readonly #payloads: number
  readonly #addresses: number
  readonly #iovecs: number
  readonly #headers: number
  /** Headers of those that are answered, when not all are. */
  readonly #outgoing: number

  /** @param size bytes of one datagram, also of its answer */
  constructor(arena: Arena, count: number, size: number) {
    this.#arena = arena
    this.bytes = arena.bytes
    this.count = count
    this.#size = size
    this.#payloads = arena.take(count * size)
    this.#addresses = arena.take(count * ADDRESS_SLOT)
    this.spareAddress = arena.take(ADDRESS_SLOT)
    this.#iovecs = arena.take(count * IOVEC_SIZE)
    this.#headers = arena.take(count * HEADER_SIZE)
    this.#outgoing = arena.take(count * HEADER_SIZE)
    for (let i = 0; i < count; i++) this.#layOut(i)
  }

  #layOut(i: number): void {
    const arena = this.#arena
    const iovec = this.#iovecs + i * IOVEC_SIZE
    arena.writeWide(iovec, arena.address(this.at(i)))
    arena.writeWide(iovec + 8, this.#size)
    const header = this.#headers + i * HEADER_SIZE
    arena.writeWide(header, arena.address(this.addressAt(i)))
    arena.words[(header + NAME_LENGTH) >> 2] = ADDRESS_SIZE
    arena.writeWide(header + 16, arena.address(iovec))
    arena.writeWide(header + 24, 1)
  }

  /** Offset of a datagram. */
  at(i: number): number {
    return this.#payloads + i * this.#size
  }

  length(i: number): number {
    return this.#arena.words[(this.#headers + i * HEADER_SIZE + LENGTH) >> 2]!
  }

  /** It was longer than a slot. */
  cut(i: number): boolean {
    return (this.#arena.words[(this.#headers + i * HEADER_SIZE + FLAGS) >> 2]! & MSG_TRUNC) !== 0
  }

  /** Where it came from: a struct sockaddr. */
  addressAt(i: number): number {
    return this.#addresses + i * ADDRESS_SLOT
  }

  addressLength(i: number): number {
    return this.#arena.words[(this.#headers + i * HEADER_SIZE + NAME_LENGTH) >> 2]!
  }

  /** @returns how many came, or -errno; {@link reset} before the next */
  receive(fd: number): number {
    return receiveMany(fd, this.#arena.address(this.#headers), this.count, MSG_DONTWAIT, 0)
  }

  /** Length of the answer that was written over datagram `i`; 0: there is none. */
  setAnswer(i: number, length: number): void {
    this.#arena.words[(this.#iovecs + i * IOVEC_SIZE + 8) >> 2] = length
  }

  /** Sends the answers of the first `count` datagrams. What the kernel refuses is dropped: the client asks again. */
  answer(fd: number, count: number): void {
    const { words, bytes } = this.#arena
    let answered = 0
    for (let i = 0; i < count; i++) if (words[(this.#iovecs + i * IOVEC_SIZE + 8) >> 2] !== 0) answered++
    let from = this.#headers
    if (answered < count) {
      from = this.#outgoing
      for (let i = 0, out = from; i < count; i++) {
        if (words[(this.#iovecs + i * IOVEC_SIZE + 8) >> 2] === 0) continue
        const header = this.#headers + i * HEADER_SIZE
        bytes.copyWithin(out, header, header + HEADER_SIZE)
        out += HEADER_SIZE
      }
    }
    this.#send(fd, from, answered)
  }

  #send(fd: number, from: number, count: number): void {
    for (let sent = 0; sent < count;) {
      const result = sendMany(fd, this.#arena.address(from + sent * HEADER_SIZE), count - sent, MSG_DONTWAIT)
      if (result > 0) sent += result
      else if (result === -EAGAIN) return
      else if (result !== -EINTR) sent++
    }
  }

  /** Makes the first `count` slots ready to receive again. */
  reset(count: number): void {
    const words = this.#arena.words
    for (let i = 0; i < count; i++) {
      words[(this.#iovecs + i * IOVEC_SIZE + 8) >> 2] = this.#size
      words[(this.#headers + i * HEADER_SIZE + NAME_LENGTH) >> 2] = ADDRESS_SIZE
    }
  }
}
