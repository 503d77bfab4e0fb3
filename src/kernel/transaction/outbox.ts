import { NETLINK_NETFILTER } from '../handler.js'
import { beginBatch, endBatch, exchangeBatch } from '../nftables/batch.js'
import type { Acknowledgement, NetlinkSocket } from '../netlink/socket.js'
import type { SpareMemory } from '../netlink/spare-memory.js'
import type { MessageWriter } from '../netlink/writer.js'

/** Small enough for the default send and receive buffers of a netlink socket. */
const MOST_MESSAGES = 128
const MOST_BYTES = 64 * 1024
/** A batch begins and ends with a message that is nobody's. */
const NOBODY = -1

/** Decides what an answer means to the operation that asked: an error to throw, or nothing. */
export type Judge = (owner: number, answer: Acknowledgement) => Error | undefined

/**
 * Messages that wait to be sent. Those to one socket that follow each other go out together; each remembers the
 * operation it belongs to, so that the kernel's answers find their way back.
 */
export class Outbox {
  /** Index of the operation whose messages are being written. */
  owner = NOBODY
  #written = 0
  #socket: NetlinkSocket | undefined
  #writer: MessageWriter | undefined
  #owners: number[] = []
  #atomic = false

  constructor(
    public judge: Judge,
    private readonly memory: SpareMemory,
  ) {}

  /** From here on, messages belong to this operation. */
  begin(owner: number): void {
    this.#claim()
    this.owner = owner
    this.#written = 0
  }

  /** Messages written for {@link owner} so far. */
  get written(): number {
    this.#claim()
    return this.#written
  }

  /** The operation has written its last message. */
  end(): void {
    this.#claim()
    const full = this.#owners.length > MOST_MESSAGES || (this.#writer?.length ?? 0) > MOST_BYTES
    // A batch of nf_tables is one change and cannot be cut.
    if (full && !this.#atomic) this.flush()
  }

  writer(socket: NetlinkSocket, protocol: number): MessageWriter {
    if (this.#writer !== undefined && this.#socket === socket) return this.#writer
    this.flush()
    this.#socket = socket
    this.#atomic = protocol === NETLINK_NETFILTER
    const writer = (this.#writer = socket.writer())
    if (this.#atomic) {
      beginBatch(writer)
      this.#owners.push(NOBODY)
    }
    return writer
  }

  /** Forgets what the present operation has written and not sent: it threw in between. */
  takeBack(): void {
    if (this.#writer === undefined) return
    const keep = this.#owners.findIndex((owner) => owner === this.owner)
    const count = keep < 0 ? this.#owners.length : keep
    this.#writer.keep(count)
    this.#owners.length = count
  }

  /** Sends what waits, and throws what the judge makes of the first answer that it minds. */
  flush(): void {
    this.#claim()
    const [socket, writer, owners] = [this.#socket, this.#writer, this.#owners]
    this.#writer = undefined
    this.#owners = []
    if (socket === undefined || writer === undefined || owners.length === 0) return
    if (this.#atomic) return this.#sendBatch(socket, writer, owners)
    const answers = socket.exchange(writer)
    this.memory.giveWriter(writer)
    this.#report(owners, answers)
  }

  #claim(): void {
    const count = this.#writer?.sequences.length ?? 0
    while (this.#owners.length < count) {
      this.#owners.push(this.owner)
      this.#written++
    }
  }

  #report(owners: number[], answers: Acknowledgement[]): void {
    let first: Error | undefined
    answers.forEach((answer, i) => {
      const error = this.judge(owners[i] ?? NOBODY, answer)
      first ??= error
    })
    if (first !== undefined) throw first
  }

  /** Everything or nothing. What is missing and may be (`missing: 'ignore'`) is left out and the rest sent again. */
  #sendBatch(socket: NetlinkSocket, writer: MessageWriter, owners: number[]): void {
    if (owners.length === 1) return
    endBatch(writer)
    const { refused, changes } = exchangeBatch(socket, writer)
    const asked = owners.slice(1)
    if (refused !== undefined) throw this.judge(asked[0]!, refused) ?? new Error('a refused batch was tolerated')
    if (changes.every(({ errno }) => errno === 0)) return this.#report(asked, changes)
    const tolerated = new Set<number>()
    changes.forEach((answer, i) => {
      if (answer.errno === 0) return
      const error = this.judge(asked[i]!, answer)
      if (error !== undefined) throw error
      tolerated.add(asked[i]!)
    })
    const again = socket.writer()
    beginBatch(again)
    const remaining = owners.filter((owner, i) => {
      const stays = !tolerated.has(owner)
      if (stays && owner !== NOBODY) again.append(writer.message(i))
      return stays
    })
    this.#sendBatch(socket, again, remaining)
  }
}
