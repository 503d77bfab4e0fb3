import { MessageWriter } from './writer.js'

/** Sockets in use at the same time are few. */
const MOST = 8

/**
 * Buffers that are used again. Sandboxes come with a socket each; clearing new memory for it would cost as much as the
 * system calls, and the garbage collector would run for nothing else.
 */
export class SpareMemory {
  #buffers: Uint8Array[] = []
  #writers: MessageWriter[] = []

  buffer(size: number): Uint8Array {
    const spare = this.#buffers.pop()
    return spare !== undefined && spare.length >= size ? spare : new Uint8Array(size)
  }

  writer(firstSequence: number): MessageWriter {
    return this.#writers.pop()?.reset(firstSequence) ?? new MessageWriter(firstSequence)
  }

  giveBuffer(buffer: Uint8Array): void {
    if (this.#buffers.length < MOST) this.#buffers.push(buffer)
  }

  giveWriter(writer: MessageWriter): void {
    if (this.#writers.length < MOST) this.#writers.push(writer)
  }
}
