import { addressOf } from './system-calls.js'

const ALIGNMENT = 16

/**
 * Memory that system calls read and write directly: one buffer whose address is known, cut into pieces that live as
 * long as it does. A JavaScript buffer of this size is never moved.
 */
export class Arena {
  readonly bytes: Buffer
  /** The same memory in 32-bit words, for the structures of system calls (all Node platforms but s390x are little-endian). */
  readonly words: Uint32Array
  readonly #base: number
  #used = 0

  constructor(size: number) {
    const memory = new ArrayBuffer(size)
    this.bytes = Buffer.from(memory)
    this.words = new Uint32Array(memory)
    this.#base = addressOf(this.bytes)
  }

  /** @returns the offset of a piece, aligned to 16 bytes */
  take(length: number): number {
    const at = this.#used
    if (at + length > this.bytes.length) throw new RangeError(`arena of ${this.bytes.length} bytes is too small`)
    this.#used = Math.ceil((at + length) / ALIGNMENT) * ALIGNMENT
    return at
  }

  /** Address of an offset, as system calls take it. */
  address(at: number): number {
    return this.#base + at
  }

  /** Writes a 64-bit number, such as an address. */
  writeWide(at: number, value: number): void {
    this.words[at >> 2] = value % 0x1_0000_0000
    this.words[(at >> 2) + 1] = Math.floor(value / 0x1_0000_0000)
  }
}
