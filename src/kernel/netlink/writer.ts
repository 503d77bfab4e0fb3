/**
 * Builds netlink messages back to back in one growing buffer, so that a whole batch goes out in one send(2).
 * Layouts: linux/netlink.h. Integers of the headers are in host order (little-endian machines and big-endian
 * ones alike are served by `endian`).
 */
import { endianness } from 'node:os'
import { CnmError } from '../../contracts/errors.js'

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
/** A message longer than that travels alone. */
const PART_BYTES = 64 * 1024
const LONGEST_ATTRIBUTE = 0xffff

/** Messages for one send(2). */
export interface Part {
  bytes: Uint8Array
  /** Sequence number of the message that asks for an acknowledgement. */
  last: number
}

export class MessageWriter {
  #bytes: Uint8Array
  #view: DataView
  #length = 0
  #messageStart = -1
  #sequence: number
  /** Sequence numbers of the finished messages, in order, each one more than that before. */
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
  /** The finished messages (a view, valid until the next write). */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#messageStart < 0 ? this.#length : this.#messageStart)
  }
  /** The memory that {@link attrSpace} gives offsets in (valid until the next write). */
  get memory(): Uint8Array {
    return this.#bytes
  }
  /** Forgets all messages and keeps the memory. */
  reset(firstSequence: number): this {
    this.#sequence = firstSequence
    this.#length = 0
    this.#messageStart = -1
    this.sequences.length = 0
    return this
  }

  /**
   * Starts a message; its family header follows by u8/u16/u32, then attributes, then {@link end}. A message that was
   * begun and not ended, because an error was thrown while it was written, is dropped.
   */
  begin(type: number, flags: number): this {
    if (this.#messageStart >= 0) this.#length = this.#messageStart
    this.#messageStart = this.#length
    this.u32(0)
      .u16(type)
      .u16(flags | NLM_F_REQUEST)
      .u32(this.#sequence)
      .u32(0)
    return this
  }
  /** Drops the message that was begun: there was nothing to say. */
  drop(): this {
    if (this.#messageStart >= 0) this.#length = this.#messageStart
    this.#messageStart = -1
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

  /** Drops everything after the first `count` messages, also one that was begun and not ended. */
  keep(count: number): void {
    this.#sequence = (this.#sequence - (this.sequences.length - count)) >>> 0
    this.sequences.length = count
    let length = 0
    for (let i = 0; i < count; i++) length += (this.#view.getUint32(length, little) + 3) & ~3
    this.#length = length
    this.#messageStart = -1
  }

  /** The bytes of one finished message. */
  message(index: number): Uint8Array {
    let at = 0
    for (let i = 0; i < index; i++) at += (this.#view.getUint32(at, little) + 3) & ~3
    return this.#bytes.subarray(at, at + this.#view.getUint32(at, little))
  }

  /** Adds a copy of a message that another writer made, under a sequence number of this one. */
  append(message: Uint8Array): this {
    const at = this.#grow(message.length)
    this.#bytes.set(message, at)
    this.#view.setUint32(at + 8, this.#sequence, little)
    this.#messageStart = at
    return this.end()
  }

  /** Only the last message asks for an acknowledgement; refusals are answered in any case. */
  acknowledgeLast(): void {
    let at = 0
    for (let i = 1; i <= this.sequences.length; i++) {
      this.#askAcknowledgement(at, i === this.sequences.length)
      at += (this.#view.getUint32(at, little) + 3) & ~3
    }
  }

  /**
   * The messages in pieces of at most `count` messages, and of a size that any socket takes. Only the last message of
   * a piece asks for an acknowledgement; refusals are answered in any case.
   */
  parts(count: number): Part[] {
    const parts: Part[] = []
    let start = 0
    let at = 0
    let inPart = 0
    for (let i = 0; i < this.sequences.length; i++) {
      const end = at + ((this.#view.getUint32(at, little) + 3) & ~3)
      const following = i + 1 < this.sequences.length ? this.#view.getUint32(end, little) : Infinity
      const last = ++inPart === count || end + following - start > PART_BYTES
      this.#askAcknowledgement(at, last)
      if (last) {
        parts.push({ bytes: this.#bytes.subarray(start, end), last: this.sequences[i]! })
        start = end
        inPart = 0
      }
      at = end
    }
    return parts
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
    const { length } = value
    this.#attribute(type, length + 1)
    const at = this.#grow(length + 1)
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i)
      if (code > 0x7f) return this.#utf8String(at - 4, type, value)
      this.#bytes[at + i] = code
    }
    this.#bytes[at + length] = 0
    return this.#align()
  }
  attrBytes(type: number, bytes: Uint8Array): this {
    return this.#attribute(type, bytes.length).raw(bytes).#align()
  }
  /** An attribute of `length` bytes that the caller writes into {@link memory} at the returned offset. */
  attrSpace(type: number, length: number): number {
    this.#attribute(type, length)
    const at = this.#grow(length)
    this.#align()
    return at
  }
  /** Attributes written by `body` become children of this one. */
  nest(type: number, body: () => void): this {
    const start = this.nestBegin(type | NLA_F_NESTED)
    body()
    return this.nestEnd(start)
  }
  /** Like {@link nest}, without the NLA_F_NESTED flag that some old kernel interfaces refuse. */
  nestPlain(type: number, body: () => void): this {
    const start = this.nestBegin(type)
    body()
    return this.nestEnd(start)
  }
  /** {@link nest} without a closure: attributes until {@link nestEnd} become children. The type is taken as it is. */
  nestBegin(type: number): number {
    const start = this.#length
    this.#attribute(type, 0)
    return start
  }
  /** @param start what {@link nestBegin} returned */
  nestEnd(start: number): this {
    const length = this.#length - start
    if (length > LONGEST_ATTRIBUTE) throw tooLong(length)
    this.#view.setUint16(start, length, little)
    return this
  }

  /** Starts a structure that begins with its own length in 16 bits: struct rtnexthop. */
  structBegin(): number {
    const start = this.#length
    this.u16(0)
    return start
  }
  /** @param start what {@link structBegin} returned */
  structEnd(start: number): this {
    this.#view.setUint16(start, this.#length - start, little)
    return this.#align()
  }

  #askAcknowledgement(messageAt: number, wanted: boolean): void {
    const flags = this.#view.getUint16(messageAt + 6, little)
    this.#view.setUint16(messageAt + 6, wanted ? flags | NLM_F_ACK : flags & ~NLM_F_ACK, little)
  }
  #utf8String(start: number, type: number, value: string): this {
    const bytes = Buffer.from(value, 'utf8')
    this.#length = start
    return this.#attribute(type, bytes.length + 1)
      .raw(bytes)
      .u8(0)
      .#align()
  }
  #attribute(type: number, payload: number): this {
    if (payload + 4 > LONGEST_ATTRIBUTE) throw tooLong(payload + 4)
    return this.u16(payload + 4).u16(type)
  }
  #align(): this {
    const rest = this.#length & 3
    if (rest !== 0) {
      const at = this.#grow(4 - rest)
      for (let i = at; i < this.#length; i++) this.#bytes[i] = 0
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

const tooLong = (length: number): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', `a netlink attribute holds ${LONGEST_ATTRIBUTE} bytes, not ${length}`)
