import type { FileHandle } from 'node:fs/promises'

const CHUNK = 256 * 1024
/** Shorter holes than a block are none. */
const BLOCK = 4096
const ZEROS = Buffer.alloc(BLOCK)

/** Writes at the end of what was written; blocks of zeros become holes. */
export class SparseWriter {
  readonly #file: FileHandle
  #size = 0

  constructor(file: FileHandle) {
    this.#file = file
  }
  async write(data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length;) {
      const zeros = leading(data, at, true)
      const bytes = leading(data, at + zeros, false)
      await this.#writeAt(data.subarray(at + zeros, at + zeros + bytes), this.#size + at + zeros)
      at += zeros + bytes
    }
    this.#size += data.length
  }
  async #writeAt(data: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < data.length;) {
      const { bytesWritten } = await this.#file.write(data, done, data.length - done, position + done)
      done += bytesWritten
    }
  }
  /** A hole at the end has nothing that was written. */
  end(): Promise<void> {
    return this.#file.truncate(this.#size)
  }
}

/** How many bytes from `start` on are blocks of zeros, or are not. */
function leading(data: Uint8Array, start: number, zero: boolean): number {
  let at = start
  while (at < data.length) {
    const block = data.subarray(at, at + BLOCK)
    if ((Buffer.compare(block, ZEROS.subarray(0, block.length)) === 0) !== zero) break
    at += block.length
  }
  return at - start
}

/** Copies from the beginning; returns how many bytes. */
export async function sparseCopy(from: FileHandle, to: FileHandle, signal?: AbortSignal): Promise<number> {
  const writer = new SparseWriter(to)
  const buffer = Buffer.allocUnsafe(CHUNK)
  for (let position = 0; ;) {
    signal?.throwIfAborted()
    const { bytesRead } = await from.read(buffer, 0, CHUNK, position)
    if (bytesRead === 0) {
      await writer.end()
      return position
    }
    await writer.write(buffer.subarray(0, bytesRead))
    position += bytesRead
  }
}
