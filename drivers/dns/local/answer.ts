import {
  BADVERS,
  CLASS_IN,
  MAX_UDP,
  NOERROR,
  REFUSED,
  TYPE_A,
  TYPE_AAAA,
  TYPE_ANY,
  TYPE_HINFO,
  TYPE_PTR,
  isMetaType,
} from '../wire/constants.js'
import type { WireName } from '../wire/names.js'
import type { Question } from '../wire/question.js'
import { hinfoData, ptrData } from '../wire/record-data.js'
import type { Response } from '../wire/response.js'
import { A_RECORD, AAAA_RECORD, addressBytes, addressRecords, reverseName } from './addresses.js'
import type { NameEntry } from './network-index.js'
import type { SandboxNames } from './sandbox-names.js'
import { answerService, asService } from './service.js'

/** Not a question about names of ours. */
export const NOT_OURS = -1

/** CPU `RFC8482`, operating system empty: what RFC 8482 (4.2) answers to ANY. */
const NO_ANY = hinfoData('RFC8482', '')
const LOCALHOST = '\x09localhost'
const LOOPBACK = [addressBytes('127.0.0.1')!, addressBytes('::1')!]
const LOOPBACK_REVERSE = new Set(LOOPBACK.map(reverseName))

/** Answers questions from what a sandbox knows, without asking anybody. */
export class LocalAnswers {
  readonly #found: NameEntry[] = []
  readonly #localhost: NameEntry = {
    endpoints: [],
    a: addressRecords(LOOPBACK, 4, 0),
    aaaa: addressRecords(LOOPBACK, 16, 0),
    turn: 0,
  }

  /**
   * @param limit bytes the answer may have
   * @returns length of the answer, written over the question, or {@link NOT_OURS}
   */
  answer(bytes: Buffer, question: Question, limit: number, names: SandboxNames, response: Response): number {
    if (question.class !== CLASS_IN || question.ednsVersion !== 0 || isMetaType(question.type)) {
      return operation(bytes, question, limit, response)
    }
    const count = this.#find(question.name, names)
    if (count > 0) {
      response.begin(bytes, question, limit)
      if (question.type === TYPE_A || question.type === TYPE_AAAA) this.#addresses(question.type, count, response)
      return response.finish(question, NOERROR, true)
    }
    if (question.type === TYPE_PTR) return pointers(bytes, question, limit, names, response)
    const service = asService(question.name)
    const owners = service === undefined ? 0 : this.#find(service.owner, names)
    if (service === undefined || owners === 0) return NOT_OURS
    return answerService(bytes, question, limit, service, this.#found.slice(0, owners), names, response)
  }

  #find(name: WireName, names: SandboxNames): number {
    const count = names.find(name, this.#found)
    // RFC 6761, 6.3: localhost never leaves the machine.
    if (count > 0 || !name.endsWith(LOCALHOST)) return count
    this.#found[0] = this.#localhost
    return 1
  }

  #addresses(type: number, count: number, response: Response): void {
    const size = type === TYPE_A ? A_RECORD : AAAA_RECORD
    for (let i = 0; i < count; i++) {
      const entry = this.#found[i]!
      const records = type === TYPE_A ? entry.a : entry.aaaa
      if (records.length === 0) continue
      const first = records.length === size ? 0 : entry.turn++
      if (!response.answerAll(records, size, first)) return
    }
  }
}

/** What is refused whatever its name: other classes, versions and operations. */
function operation(bytes: Buffer, question: Question, limit: number, response: Response): number {
  response.begin(bytes, question, limit)
  if (question.ednsVersion !== 0) return response.finish(question, BADVERS, false)
  if (question.class !== CLASS_IN || question.type !== TYPE_ANY) return response.finish(question, REFUSED, false)
  response.answer(TYPE_HINFO, 0, NO_ANY)
  return response.finish(question, NOERROR, true)
}

/** Every name of an address, owned by the name that was asked. */
function pointers(bytes: Buffer, question: Question, limit: number, names: SandboxNames, response: Response): number {
  const found = names.findReverse(question.name)
  if (found.length === 0 && LOOPBACK_REVERSE.has(question.name)) found.push({ name: LOCALHOST, ttl: 0 })
  if (found.length === 0) return NOT_OURS
  response.begin(bytes, question, limit)
  for (const { name, ttl } of found) response.answer(TYPE_PTR, ttl, ptrData(name))
  return response.finish(question, NOERROR, true)
}

/** An answer without records: the name exists, or is treated as if, but has nothing of this type. */
export function answerEmpty(bytes: Buffer, question: Question, response: Response): number {
  response.begin(bytes, question, MAX_UDP)
  return response.finish(question, NOERROR, false)
}
