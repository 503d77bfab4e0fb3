import {
  AD,
  CD,
  CLASS_IN,
  HEADER,
  NOERROR,
  NXDOMAIN,
  OPT_LENGTH,
  QR,
  RA,
  RD,
  TC,
  TYPE_CNAME,
  TYPE_OPT,
  TYPE_SOA,
} from '../wire/constants.js'
import { skipName, type Question } from '../wire/question.js'
import { writeOpt } from '../wire/response.js'

/** Seconds; what RFC 2181 (8) makes of larger values does not matter here. */
const NO_TTL = 0xffff_ffff

/** A server's answer, without its OPT record, ready to be given to any client that asked the same. */
export interface ForwardedAnswer {
  /** The message up to the OPT record. */
  message: Buffer
  questionEnd: number
  /** Offsets of the TTL of each record. */
  ttls: number[]
  /** Records of the answer section. */
  answers: number
  code: number
  truncated: boolean
  /** Smallest TTL, in seconds; for a denial what RFC 2308 (5) makes of its SOA, 0 without one. */
  ttl: number
  /** NXDOMAIN, or no record of the type that was asked. */
  denial: boolean
  /** Milliseconds of the loop's clock. */
  receivedAt: number
}

/** Reads the answer to a question of `questionEnd` bytes (with header). @returns undefined when it is malformed */
export function readAnswer(bytes: Buffer, start: number, length: number, questionEnd: number, now: number): ForwardedAnswer | undefined {
  const end = start + length
  const count = (at: number): number => bytes.readUInt16BE(start + at)
  const code = bytes[start + 3]! & 0xf
  const type = bytes.readUInt16BE(start + questionEnd - 4)
  const ttls: number[] = []
  const answers = count(6)
  const authority = count(8)
  const last = answers + authority + count(10)
  let smallest = NO_TTL
  let soa = NO_TTL
  let useful = false
  let at = start + questionEnd
  let kept = 0
  for (let i = 0; i < last; i++) {
    const record = skipName(bytes, at, end)
    if (record === 0 || record + 10 > end) return undefined
    const next = record + 10 + bytes.readUInt16BE(record + 8)
    if (next > end) return undefined
    const recordType = bytes.readUInt16BE(record)
    // What comes after OPT (a signature of the transaction) is between the server and us.
    if (recordType === TYPE_OPT) break
    const ttl = bytes.readUInt32BE(record + 4)
    smallest = Math.min(smallest, ttl)
    if (i < answers && (recordType === type || type === TYPE_CNAME)) useful = true
    if (i >= answers && recordType === TYPE_SOA) soa = Math.min(soa, ttl, minimumOf(bytes, record + 10, next))
    ttls.push(record + 4 - start)
    kept++
    at = next
  }
  if (kept < answers + authority) return undefined
  const denial = code === NXDOMAIN || (code === NOERROR && !useful)
  // Not from the pool: one that is kept in the cache would keep its neighbours as well.
  const message = Buffer.allocUnsafeSlow(at - start)
  bytes.copy(message, 0, start, at)
  message.writeUInt16BE(kept - answers - authority, 10)
  return {
    message,
    questionEnd,
    ttls,
    answers,
    code,
    truncated: (bytes[start + 2]! & TC) !== 0,
    ttl: denial ? (soa === NO_TTL ? 0 : Math.min(soa, smallest)) : smallest === NO_TTL ? 0 : smallest,
    denial,
    receivedAt: now,
  }
}

/** Last field of an SOA record: how long a denial holds (RFC 2308, 4). */
function minimumOf(bytes: Buffer, from: number, end: number): number {
  return end - from >= 22 ? bytes.readUInt32BE(end - 4) : 0
}

/**
 * Gives a server's answer to a client: writes it behind the client's own header and question, which lie at
 * `question.start`, with TTLs reduced by the answer's age.
 * @param limit bytes the client takes; records beyond are left out, and TC says so
 * @returns length of the message
 */
export function writeForwarded(bytes: Buffer, question: Question, limit: number, answer: ForwardedAnswer, now: number): number {
  const { message, ttls, questionEnd } = answer
  const { start } = question
  const room = limit - (question.edns ? OPT_LENGTH : 0)
  const fits = message.length <= room
  const kept = fits ? ttls.length : fitting(answer, room)
  const end = kept === ttls.length ? message.length : kept === 0 ? questionEnd : recordEnd(message, ttls[kept - 1]!)
  message.copy(bytes, start + questionEnd, questionEnd, end)
  const age = Math.floor((now - answer.receivedAt) / 1000)
  if (age > 0) for (let i = 0; i < kept; i++) ageTtl(bytes, start + ttls[i]!, age)
  const asked = bytes[start + 3]!
  const authentic = (message[3]! & AD) !== 0 && (question.dnssecOk || (asked & AD) !== 0)
  bytes[start + 2] = QR | (fits && !answer.truncated ? 0 : TC) | (bytes[start + 2]! & RD)
  bytes[start + 3] = RA | (authentic ? AD : 0) | (asked & CD) | answer.code
  message.copy(bytes, start + 4, 4, HEADER)
  if (!fits) {
    bytes.writeUInt16BE(kept, start + 6)
    bytes.writeUInt32BE(0, start + 8)
  }
  if (!question.edns) return end
  bytes.writeUInt16BE(bytes.readUInt16BE(start + 10) + 1, start + 10)
  return writeOpt(bytes, start + end, answer.code, question.dnssecOk) - start
}

/** How many records of the answer section fit: none of the other sections, since some records are missing anyway. */
function fitting(answer: ForwardedAnswer, room: number): number {
  let count = 0
  while (count < answer.answers && recordEnd(answer.message, answer.ttls[count]!) <= room) count++
  return count
}

function recordEnd(message: Buffer, ttl: number): number {
  return ttl + 6 + message.readUInt16BE(ttl + 4)
}

function ageTtl(bytes: Buffer, at: number, age: number): void {
  bytes.writeUInt32BE(Math.max(0, bytes.readUInt32BE(at) - age), at)
}

/**
 * Builds the question that goes to a server: the client's header bits RD and CD, its name, our own OPT.
 * @param head the client's header and question
 */
export function buildQuery(target: Buffer, head: Buffer, id: number, edns: boolean, dnssecOk: boolean): number {
  head.copy(target, 0)
  target.writeUInt16BE(id, 0)
  target[2] = head[2]! & RD
  target[3] = head[3]! & (CD | AD)
  target.writeUInt16BE(1, 4)
  target.fill(0, 6, HEADER)
  if (!edns) return head.length
  target[11] = 1
  return writeOpt(target, head.length, 0, dnssecOk)
}

/** Whether a message answers this question: a response to a query, with the same id (checked by the caller), name, type and class. */
export function answersQuestion(bytes: Buffer, start: number, length: number, asked: Buffer, exactCase: boolean): boolean {
  if (length < asked.length || (bytes[start + 2]! & (QR | 0x78)) !== QR || bytes.readUInt16BE(start + 4) !== 1) return false
  if (asked.readUInt16BE(asked.length - 2) !== CLASS_IN) return false
  for (let i = HEADER; i < asked.length; i++) {
    const a = bytes[start + i]!
    const b = asked[i]!
    if (a === b) continue
    const letter = i < asked.length - 4 && (a | 0x20) === (b | 0x20) && (b | 0x20) >= 0x61 && (b | 0x20) <= 0x7a
    if (exactCase || !letter) return false
  }
  return true
}
