import { AA, CD, CLASS_IN, HEADER, MAX_UDP, OPT_LENGTH, OUR_UDP, PLAIN_UDP, QR, RA, RD, TC, TYPE_OPT } from './constants.js'
import type { Question } from './question.js'

const OWNER_IS_QUESTION = 0xc00c
const DNSSEC_OK = 0x80

/**
 * Turns a question into its answer, in the buffer in which it lies: header and question stay where they are (with the
 * client's id and the case of its name), records are appended. Records that do not fit are left out and TC says so.
 */
export class Response {
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0
  #at = 0
  #limit = 0
  #answers = 0
  #additional = 0
  #truncated = false

  /** @param limit largest message, in bytes; the buffer must have that much room from the start of the question */
  begin(bytes: Buffer, question: Question, limit: number): void {
    this.#bytes = bytes
    this.#start = question.start
    this.#at = question.end
    this.#limit = question.start + limit - (question.edns ? OPT_LENGTH : 0)
    this.#answers = 0
    this.#additional = 0
    this.#truncated = false
  }

  get truncated(): boolean {
    return this.#truncated
  }

  get at(): number {
    return this.#at
  }

  /** Appends prebuilt records of equal size, beginning with number `first` and going round. @returns whether all fitted */
  answerAll(records: Uint8Array, size: number, first: number): boolean {
    const count = records.length / size
    const room = Math.max(0, Math.min(count, Math.floor((this.#limit - this.#at) / size)))
    const bytes = this.#bytes
    let at = this.#at
    for (let i = 0; i < room; i++) {
      const from = ((first + i) % count) * size
      for (let k = from; k < from + size; k++) bytes[at++] = records[k]!
    }
    this.#at = at
    this.#answers += room
    if (room < count) this.#truncated = true
    return room === count
  }

  /** One record owned by the question's name. @returns the offset of its data, or 0 when it does not fit */
  answer(type: number, ttl: number, data: Uint8Array): number {
    const at = this.#record(OWNER_IS_QUESTION, type, ttl, data)
    if (at === 0) this.#truncated = true
    else this.#answers++
    return at
  }

  /** A record for the additional section, left out in silence when it does not fit. `owner` is an offset in the buffer. */
  additional(owner: number, type: number, ttl: number, data: Uint8Array): void {
    const pointer = owner - this.#start
    if (pointer < 0x4000 && this.#record(0xc000 | pointer, type, ttl, data) !== 0) this.#additional++
  }

  #record(pointer: number, type: number, ttl: number, data: Uint8Array): number {
    const at = this.#at
    if (at + 12 + data.length > this.#limit) return 0
    const bytes = this.#bytes
    bytes.writeUInt16BE(pointer, at)
    bytes.writeUInt16BE(type, at + 2)
    bytes.writeUInt16BE(CLASS_IN, at + 4)
    bytes.writeUInt32BE(ttl, at + 6)
    bytes.writeUInt16BE(data.length, at + 10)
    bytes.set(data, at + 12)
    this.#at = at + 12 + data.length
    return at + 12
  }

  /** Writes header and OPT. @returns the length of the message */
  finish(question: Question, code: number, authoritative: boolean): number {
    const bytes = this.#bytes
    const start = this.#start
    bytes[start + 2] = QR | (authoritative ? AA : 0) | (this.#truncated ? TC : 0) | (bytes[start + 2]! & (RD | 0x78))
    bytes[start + 3] = RA | (bytes[start + 3]! & CD) | (code & 0xf)
    bytes[start + 4] = 0
    bytes[start + 5] = question.end > start + HEADER ? 1 : 0
    bytes[start + 6] = this.#answers >> 8
    bytes[start + 7] = this.#answers & 0xff
    bytes[start + 8] = 0
    bytes[start + 9] = 0
    bytes.writeUInt16BE(this.#additional + (question.edns ? 1 : 0), start + 10)
    if (question.edns) this.#at = writeOpt(bytes, this.#at, code, question.dnssecOk)
    return this.#at - start
  }
}

/** Appends an OPT record without options (RFC 6891, 6.1.2). @returns the offset after it */
export function writeOpt(bytes: Buffer, from: number, code: number, dnssecOk: boolean): number {
  bytes[from] = 0
  bytes[from + 1] = 0
  bytes[from + 2] = TYPE_OPT
  bytes[from + 3] = OUR_UDP >> 8
  bytes[from + 4] = OUR_UDP & 0xff
  bytes[from + 5] = code >> 4
  bytes[from + 6] = 0
  bytes[from + 7] = dnssecOk ? DNSSEC_OK : 0
  bytes[from + 8] = 0
  bytes[from + 9] = 0
  bytes[from + 10] = 0
  return from + OPT_LENGTH
}

/** Bytes of UDP answer that the client of a question takes. */
export function udpLimit(question: Question): number {
  return question.edns ? Math.min(Math.max(question.payload, PLAIN_UDP), MAX_UDP) : PLAIN_UDP
}

/** An answer that is nothing but a response code. A question that could not be read is not repeated. @returns its length */
export function refuse(response: Response, bytes: Buffer, question: Question, code: number): number {
  response.begin(bytes, question, MAX_UDP)
  return response.finish(question, code, false)
}
