/**
 * Builds netlink messages back to back in one growing buffer, so that a whole batch goes out in one send(2).
 * Layouts: linux/netlink.h. Integers of the headers are in host order (little-endian machines and big-endian
 * ones alike are served by `endian`).
 */
import { endianness } from 'node:os'

const little = endianness() === 'LE'
export const NLM_F_REQUEST = 0x1
export const NLM_F_MULTI = 0x2
export const NLM_F_ACK = 0x4
export const NLM_F_DUMP_INTR = 0x10
export const NLM_F_DUMP = 0x300
export const NLM_F_REPLACE = 0x100
export const NLM_F_EXCL = 0x200
export const NLM_F_CREATE = 0x400
export const NLM_F_APPEND = 0x800
export const NLA_F_NESTED = 0x8000
export const HEADER_LENGTH = 16

export class MessageWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0
  #messageStart = -1
  #sequence: number
  /** Sequence numbers of the finished messages, in order. */
  readonly sequences: number[] = []

  constructor(firstSequence: number, capacity = 4096) {
    this.#sequence = firstSequence
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get length(): number {
    return this.#length
  }
  /** The sequence number that the next message will carry. */
  get nextSequence(): number {
    return this.#sequence
  }
  /** The messages written so far (a view, valid until the next write). */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Starts a message; its family header follows by u8/u16/u32, then attributes, then {@link end}. */
  begin(type: number, flags: number): this {
    this.#messageStart = this.#length
    this.u32(0).u16(type).u16(flags | NLM_F_REQUEST).u32(this.#sequence).u32(0)
    return this
  }
  end(): this {
    this.#view.setUint32(this.#messageStart, this.#length - this.#messageStart, little)
    this.#align()
    this.sequences.push(this.#sequence)
    this.#sequence = (this.#sequence + 1) >>> 0
    this.#messageStart = -1
    return this
  }

  u8(value: number): this {
    const at = this.#grow(1)
    this.#view.setUint8(at, value)
    return this
  }
  u16(value: number): this {
    const at = this.#grow(2)
    this.#view.setUint16(at, value, little)
    return this
  }
  u32(value: number): this {
    const at = this.#grow(4)
    this.#view.setUint32(at, value, little)
    return this
  }
  i32(value: number): this {
    const at = this.#grow(4)
    this.#view.setInt32(at, value, little)
    return this
  }
  u16be(value: number): this {
    const at = this.#grow(2)
    this.#view.setUint16(at, value, false)
    return this
  }
  u32be(value: number): this {
    const at = this.#grow(4)
    this.#view.setUint32(at, value, false)
    return this
  }
  u64(value: bigint): this {
    const at = this.#grow(8)
    this.#view.setBigUint64(at, value, little)
    return this
  }
  raw(bytes: Uint8Array): this {
    const at = this.#grow(bytes.length)
    this.#bytes.set(bytes, at)
    return this
  }

  attrU8(type: number, value: number): this {
    return this.#attribute(type, 1).u8(value).#align()
  }
  attrU16(type: number, value: number): this {
    return this.#attribute(type, 2).u16(value).#align()
  }
  attrU32(type: number, value: number): this {
    return this.#attribute(type, 4).u32(value)
  }
  attrU64(type: number, value: bigint): this {
    return this.#attribute(type, 8).u64(value)
  }
  attrU16be(type: number, value: number): this {
    return this.#attribute(type, 2).u16be(value).#align()
  }
  attrU32be(type: number, value: number): this {
    return this.#attribute(type, 4).u32be(value)
  }
  attrU64be(type: number, value: bigint): this {
    const at = this.#attribute(type, 8).#grow(8)
    this.#view.setBigUint64(at, value, false)
    return this
  }
  attrFlag(type: number): this {
    return this.#attribute(type, 0)
  }
  /** A zero-terminated string. */
  attrString(type: number, value: string): this {
    const bytes = Buffer.from(value, 'utf8')
    return this.#attribute(type, bytes.length + 1).raw(bytes).u8(0).#align()
  }
  attrBytes(type: number, bytes: Uint8Array): this {
    return this.#attribute(type, bytes.length).raw(bytes).#align()
  }
  /** Attributes written by `body` become children of this one. */
  nest(type: number, body: () => void): this {
    const start = this.#length
    this.#attribute(type | NLA_F_NESTED, 0)
    body()
    this.#view.setUint16(start, this.#length - start, little)
    return this
  }
  /** Like {@link nest}, without the NLA_F_NESTED flag that some old kernel interfaces refuse. */
  nestPlain(type: number, body: () => void): this {
    const start = this.#length
    this.#attribute(type, 0)
    body()
    this.#view.setUint16(start, this.#length - start, little)
    return this
  }

  #attribute(type: number, payload: number): this {
    return this.u16(payload + 4).u16(type)
  }
  #align(): this {
    const rest = this.#length & 3
    if (rest !== 0) {
      const at = this.#grow(4 - rest)
      this.#bytes.fill(0, at, this.#length)
    }
    return this
  }
  #grow(count: number): number {
    const at = this.#length
    const needed = at + count
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
      larger.set(this.#bytes)
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    this.#length = needed
    return at
  }
}
