import type { FileHandle } from 'node:fs/promises'

const BLOCK_BYTES = 262_144
const BLOCKS_KEPT = 64

/** Reads pages of a file a block at a time, keeping the last few blocks. */
export class PageReader {
  readonly #file: FileHandle
  readonly #pageSize: number
  readonly #blocks = new Map<number, Buffer>()

  constructor(file: FileHandle, pageSize: number) {
    this.#file = file
    this.#pageSize = pageSize
  }

  /** @returns undefined when the file ends before the end of the pages */
  async read(first: number, pages: number): Promise<Buffer | undefined> {
    const [start, end] = [first * this.#pageSize, (first + pages) * this.#pageSize]
    const parts: Buffer[] = []
    for (let at = start; at < end;) {
      const index = Math.floor(at / BLOCK_BYTES)
      const block = this.#blocks.get(index) ?? (await this.#block(index))
      const part = block.subarray(at - index * BLOCK_BYTES, end - index * BLOCK_BYTES)
      if (part.length === 0) return undefined
      parts.push(part)
      at += part.length
      if (block.length < BLOCK_BYTES && at < end) return undefined
    }
    return parts.length === 1 ? parts[0] : Buffer.concat(parts)
  }

  async #block(index: number): Promise<Buffer> {
    const bytes = Buffer.allocUnsafe(BLOCK_BYTES)
    let filled = 0
    while (filled < BLOCK_BYTES) {
      const { bytesRead } = await this.#file.read(bytes, filled, BLOCK_BYTES - filled, index * BLOCK_BYTES + filled)
      if (bytesRead === 0) break
      filled += bytesRead
    }
    const block = bytes.subarray(0, filled)
    this.#blocks.set(index, block)
    if (this.#blocks.size > BLOCKS_KEPT) this.#blocks.delete(this.#blocks.keys().next().value!)
    return block
  }
}
