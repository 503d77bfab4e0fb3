import type { DnsTuning } from '../contract.js'
import { writeForwarded, type ForwardedAnswer } from '../forward/answer.js'
import type { Forwarder } from '../forward/forwarder.js'
import { questionKey, type Waiter } from '../forward/forwarder.js'
import { LocalAnswers, NOT_OURS, answerEmpty } from '../local/answer.js'
import { NOERROR, SERVFAIL, TYPE_A, TYPE_AAAA } from '../wire/constants.js'
import { firstLabel } from '../wire/names.js'
import { IGNORE, Question } from '../wire/question.js'
import { Response, refuse } from '../wire/response.js'
import type { Sandbox } from './sandbox.js'

/** There is nothing to send now: the question was no question, or its answer comes later. */
export const LATER = 0

/** Where an answer that comes later is sent. */
export interface Client {
  /** The message lies in the buffer that {@link Answerer} was given for such answers. */
  send(at: number, length: number): void
}

/** Where questions come from. */
export interface Source {
  readonly sandbox: Sandbox
  /** Bytes that the answer to a question may have. */
  limit(question: Question): number
  /** The sender of question number `index` of those at hand. */
  client(index: number): Client
}

export interface Counters {
  queries: number
  local: number
  cached: number
  forwarded: number
  refused: number
  malformed: number
}

/** Takes one question at a time and answers it from what is known, or has it forwarded. */
export class Answerer {
  readonly counters: Counters = { queries: 0, local: 0, cached: 0, forwarded: 0, refused: 0, malformed: 0 }
  readonly #question = new Question()
  readonly #response = new Response()
  readonly #local = new LocalAnswers()

  /**
   * @param work where answers that come later are put together: a buffer and the offset of room for any message
   */
  constructor(
    private readonly forwarder: Forwarder,
    private readonly tuning: DnsTuning,
    private readonly work: { bytes: Buffer; at: number },
    private readonly clock: { readonly now: number },
  ) {}

  /**
   * Writes the answer over the question, which must have room for it.
   * @param index which of the questions that `source` has at hand
   * @returns length of the answer, or {@link LATER}
   */
  answer(bytes: Buffer, at: number, length: number, source: Source, index: number): number {
    const question = this.#question
    const code = question.parse(bytes, at, length)
    this.counters.queries++
    if (code !== NOERROR) {
      this.counters.malformed++
      return code === IGNORE ? LATER : refuse(this.#response, bytes, question, code)
    }
    const limit = source.limit(question)
    const local = this.#local.answer(bytes, question, limit, source.sandbox.names, this.#response)
    if (local !== NOT_OURS) {
      this.counters.local++
      return local
    }
    return this.#forward(bytes, question, limit, source, index)
  }

  #forward(bytes: Buffer, question: Question, limit: number, source: Source, index: number): number {
    const { sandbox } = source
    if (sandbox.view.singleLabels === 'local' && isSingleLabel(question)) return answerEmpty(bytes, question, this.#response)
    const { group } = sandbox
    if (group === undefined) return this.#refuse(bytes, question)
    const key = questionKey(group, question, bytes)
    const known = this.forwarder.cached(key)
    if (known !== undefined) {
      this.counters.cached++
      return writeForwarded(bytes, question, limit, known, this.clock.now)
    }
    if (sandbox.waiting >= this.tuning.waitingPerSandbox) return this.#refuse(bytes, question)
    const head = Buffer.from(bytes.subarray(question.start, question.end))
    const waiter = this.#waiter(head, question, limit, sandbox, source.client(index))
    sandbox.waiting++
    if (this.forwarder.ask(key, group, { head, dnssecOk: question.dnssecOk }, waiter)) {
      this.counters.forwarded++
      return LATER
    }
    sandbox.waiting--
    return this.#refuse(bytes, question)
  }

  #refuse(bytes: Buffer, question: Question): number {
    this.counters.refused++
    return refuse(this.#response, bytes, question, SERVFAIL)
  }

  #waiter(head: Buffer, asked: Question, limit: number, sandbox: Sandbox, client: Client): Waiter {
    const { edns, dnssecOk } = asked
    return {
      answered: (answer) => {
        sandbox.waiting--
        client.send(this.work.at, this.#compose(head, edns, dnssecOk, limit, answer))
      },
    }
  }

  /** @returns length of the answer, put together in the working memory */
  #compose(head: Buffer, edns: boolean, dnssecOk: boolean, limit: number, answer: ForwardedAnswer | undefined): number {
    const { bytes, at } = this.work
    head.copy(bytes, at)
    const question = this.#question
    question.start = at
    question.end = at + head.length
    question.edns = edns
    question.dnssecOk = dnssecOk
    if (answer === undefined) return this.#refuse(bytes, question)
    return writeForwarded(bytes, question, limit, answer, this.clock.now)
  }
}

function isSingleLabel({ type, name }: Question): boolean {
  return (type === TYPE_A || type === TYPE_AAAA) && name !== '' && firstLabel(name).length + 1 === name.length
}
