import { FORMERR, HEADER, MAX_LABEL, MAX_NAME, NOERROR, NOTIMP, OPCODE_MASK, QR, RD, TYPE_OPT } from './constants.js'
import type { WireName } from './names.js'

/** No answer is possible or wise: too short for a header, or itself an answer. */
export const IGNORE = -1

const MAX_EXTRA_RECORDS = 16
const POINTER = 0xc0
const DNSSEC_OK = 0x80

/**
 * A question as a client sent it, parsed in place: offsets point into the buffer that was parsed. One object is used
 * for all questions, so that the hot path allocates nothing but the name.
 */
export class Question {
  /** Offset of the message. */
  start = 0
  /** Offset after the question section; `start + 12` when there is no usable one. */
  end = 0
  type = 0
  class = 0
  /** Lower case. */
  name: WireName = ''
  recursionDesired = false
  /** There is an OPT record (RFC 6891). */
  edns = false
  ednsVersion = 0
  dnssecOk = false
  /** UDP bytes that the client takes. */
  payload = 0

  readonly #lower = Buffer.alloc(MAX_NAME + 1)

  /** @returns NOERROR, the response code to answer with, or {@link IGNORE} */
  parse(bytes: Buffer, start: number, length: number): number {
    const end = start + length
    this.start = start
    this.end = start + HEADER
    this.edns = false
    this.ednsVersion = 0
    this.dnssecOk = false
    this.payload = 0
    if (length < HEADER || (bytes[start + 2]! & QR) !== 0) return IGNORE
    this.recursionDesired = (bytes[start + 2]! & RD) !== 0
    if ((bytes[start + 2]! & OPCODE_MASK) !== 0) return NOTIMP
    // One question; nothing in the answer and authority sections.
    if (bytes[start + 4] !== 0 || bytes[start + 5] !== 1) return FORMERR
    if ((bytes[start + 6]! | bytes[start + 7]! | bytes[start + 8]! | bytes[start + 9]!) !== 0) return FORMERR
    const at = this.#parseName(bytes, start + HEADER, end)
    if (at === 0 || at + 4 > end) return FORMERR
    this.type = (bytes[at]! << 8) | bytes[at + 1]!
    this.class = (bytes[at + 2]! << 8) | bytes[at + 3]!
    const additional = (bytes[start + 10]! << 8) | bytes[start + 11]!
    if (additional === 0) {
      if (at + 4 !== end) return FORMERR
    } else if (!this.#parseAdditional(bytes, at + 4, end, additional)) return FORMERR
    this.end = at + 4
    return NOERROR
  }

  /** @returns the offset after the name, or 0 */
  #parseName(bytes: Buffer, from: number, end: number): number {
    const lower = this.#lower
    let at = from
    let written = 0
    for (;;) {
      if (at >= end) return 0
      const length = bytes[at++]!
      if (length === 0) break
      // A compression pointer has nothing before it to point at.
      if (length > MAX_LABEL || written + length + 2 > MAX_NAME || at + length > end) return 0
      lower[written++] = length
      for (const stop = at + length; at < stop; at++) {
        const c = bytes[at]!
        lower[written++] = c >= 0x41 && c <= 0x5a ? c | 0x20 : c
      }
    }
    this.name = lower.toString('latin1', 0, written)
    return at
  }

  #parseAdditional(bytes: Buffer, from: number, end: number, count: number): boolean {
    if (count > MAX_EXTRA_RECORDS) return false
    let at = from
    for (let i = 0; i < count; i++) {
      const owner = at
      at = skipName(bytes, at, end)
      if (at === 0 || at + 10 > end) return false
      const type = (bytes[at]! << 8) | bytes[at + 1]!
      const next = at + 10 + ((bytes[at + 8]! << 8) | bytes[at + 9]!)
      if (next > end) return false
      if (type === TYPE_OPT) {
        if (this.edns || bytes[owner] !== 0) return false
        this.edns = true
        this.payload = (bytes[at + 2]! << 8) | bytes[at + 3]!
        this.ednsVersion = bytes[at + 5]!
        this.dnssecOk = (bytes[at + 6]! & DNSSEC_OK) !== 0
      }
      at = next
    }
    return at === end
  }
}

/** @returns the offset after a possibly compressed name, or 0 when it runs over the end or is malformed */
export function skipName(bytes: Buffer, from: number, end: number): number {
  let at = from
  while (at < end) {
    const length = bytes[at]!
    if (length === 0) return at + 1
    if (length >= POINTER) return at + 2 <= end ? at + 2 : 0
    if (length > MAX_LABEL) return 0
    at += length + 1
  }
  return 0
}
