import { constants } from 'node:os'
import { CnmError } from '../../contracts/errors.js'
import * as sys from '../syscalls.js'
import { isFinal, NLMSG_ERROR, outcome, type Acknowledgement } from './acknowledgement.js'
import { messages, type Message } from './reader.js'
import { SpareMemory } from './spare-memory.js'
import { HEADER_LENGTH, type MessageWriter, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR } from './writer.js'

export type { Acknowledgement }

const { EAGAIN, ENOBUFS } = constants.errno
const SOL_NETLINK = 270
const NETLINK_EXT_ACK = 11
const NETLINK_CAP_ACK = 10
const NETLINK_GET_STRICT_CHK = 12
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_RCVBUFFORCE = 33
const SO_SNDBUFFORCE = 32
/** The kernel fills datagrams of a dump up to the reader's buffer, at most 32 KiB; only single huge objects need more. */
const RECEIVE_BUFFER = 64 * 1024
const DUMP_ATTEMPTS = 20
/** Refusals of so many messages fit in the receive queue that a socket has by default. */
const REFUSALS_AT_ONCE = 128

/**
 * A blocking netlink socket. It belongs to the network namespace in which the calling thread was when it was
 * opened, whatever namespace the thread enters later.
 */
export class NetlinkSocket {
  readonly fd: number
  #sequence = 1
  #buffer: Uint8Array | undefined

  /** @param protocol NETLINK_ROUTE 0, NETLINK_XFRM 6, NETLINK_NETFILTER 12, NETLINK_GENERIC 16 */
  constructor(
    protocol: number,
    private readonly spare = new SpareMemory(),
  ) {
    this.fd = sys.socket(sys.AF_NETLINK, sys.SOCK_RAW, protocol)
    try {
      sys.setSocketOption(this.fd, SOL_NETLINK, NETLINK_EXT_ACK, 1)
      sys.setSocketOption(this.fd, SOL_NETLINK, NETLINK_CAP_ACK, 1)
      // Filters of dump requests are honoured by the kernel; harmless where a family does not know it.
      sys.setSocketOption(this.fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
      // sockaddr_nl { u16 family, u16 pad, u32 port 0 (kernel chooses), u32 groups 0 }
      const address = new Uint8Array(12)
      new Uint16Array(address.buffer)[0] = sys.AF_NETLINK
      sys.bindSocket(this.fd, address)
    } catch (error) {
      sys.close(this.fd)
      throw error
    }
  }

  /** Larger kernel buffers, for big batches and dumps; beyond the system's limit where we may. */
  enlarge(bytes: number): void {
    for (const [force, plain] of [
      [SO_RCVBUFFORCE, SO_RCVBUF],
      [SO_SNDBUFFORCE, SO_SNDBUF],
    ] as const) {
      try {
        sys.setSocketOption(this.fd, SOL_SOCKET, force, bytes)
      } catch {
        sys.setSocketOption(this.fd, SOL_SOCKET, plain, bytes)
      }
    }
  }

  writer(): MessageWriter {
    return this.spare.writer(this.#sequence)
  }

  /**
   * Sends every message of the writer and returns one acknowledgement for each; in one system call, unless there are
   * more messages than `atOnce`. The kernel goes on after a message that it refused. It answers in order, and
   * refusals in any case: so only the last message of a system call asks for an acknowledgement.
   * @param atOnce choose it smaller for gets, whose replies are larger than refusals
   * @throws CnmError ERR_CNM_TRUNCATED when answers were lost or cut, so that what happened is not known
   */
  exchange(writer: MessageWriter, atOnce = REFUSALS_AT_ONCE): Acknowledgement[] {
    this.#sequence = writer.nextSequence
    const result = writer.sequences.map((sequence): Acknowledgement => ({ sequence, errno: 0, replies: [] }))
    const first = writer.sequences[0]
    if (first === undefined) return result
    for (const part of writer.parts(atOnce)) {
      sys.send(this.fd, part.bytes)
      this.#collect(result, first, part.last)
    }
    return result
  }

  /**
   * Sends the messages and returns the acknowledgements that are queued when send(2) returns, without waiting for
   * one from every message. For kernel interfaces that work synchronously and answer only some messages of a batch.
   * When more answers came than the receive queue holds, the later ones are missing.
   */
  exchangeAtOnce(writer: MessageWriter): Acknowledgement[] {
    this.#sequence = writer.nextSequence
    sys.send(this.fd, writer.bytes())
    const answers: Acknowledgement[] = []
    for (;;) {
      const datagram = this.#receiveQueued()
      if (datagram === undefined) return answers
      for (const message of messages(datagram)) {
        if (message.type === NLMSG_ERROR) answers.push({ sequence: message.sequence, replies: [], ...outcome(message) })
      }
    }
  }

  /** One message with acknowledgement. */
  request(type: number, flags: number, body: (writer: MessageWriter) => void): Acknowledgement {
    const writer = this.writer()
    writer.begin(type, flags | NLM_F_ACK)
    body(writer)
    writer.end()
    return this.exchange(writer)[0]!
  }

  /**
   * All objects of a kind. A dump during which the kernel's tables changed (NLM_F_DUMP_INTR) may have missed or
   * repeated objects, so it is made again.
   * @param parse must not use this socket
   * @throws CnmError ERR_CNM_KERNEL when the kernel keeps changing underneath, DumpError when it refuses
   */
  dump<T>(type: number, body: (writer: MessageWriter) => void, parse: (message: Message) => T | undefined): T[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const found: T[] = []
      const whole = this.#dumpOnce(type, body, (message) => {
        const parsed = parse(message)
        if (parsed !== undefined) found.push(parsed)
      })
      if (whole) return found
    }
    throw new CnmError('ERR_CNM_KERNEL', `netlink dump ${type} was interrupted ${DUMP_ATTEMPTS} times in a row`)
  }

  /** @param closeDescriptor instead of close(2) on this thread */
  close(closeDescriptor: (fd: number) => void = sys.close): void {
    if (this.#buffer !== undefined) this.spare.giveBuffer(this.#buffer)
    this.#buffer = undefined
    closeDescriptor(this.fd)
  }

  /** Reads until the answer to message `last`. */
  #collect(result: Acknowledgement[], first: number, last: number): void {
    for (;;) {
      const buffer = this.#memory()
      const length = this.#receiveAnswer(buffer)
      for (const message of messages(buffer.subarray(0, length))) {
        const answer = result[(message.sequence - first) >>> 0]
        if (answer === undefined) continue
        if (!isFinal(message)) {
          answer.replies.push({ ...message, payload: message.payload.slice() })
          continue
        }
        const { errno, text } = outcome(message)
        answer.errno = errno
        if (text !== undefined) answer.text = text
        if (message.sequence === last) return
      }
    }
  }

  #receiveAnswer(buffer: Uint8Array): number {
    let length: number
    try {
      length = sys.receive(this.fd, buffer, sys.MSG_TRUNC)
    } catch (error) {
      if (!overrun(error)) throw error
      this.#drain()
      throw new CnmError('ERR_CNM_TRUNCATED', 'the kernel had no room for its answers: which messages it took is not known', {
        cause: error,
      })
    }
    if (length <= buffer.length) return length
    this.#drain()
    this.#memory(length)
    throw new CnmError('ERR_CNM_TRUNCATED', `a netlink reply of ${length} bytes was cut at ${buffer.length}`)
  }

  /** Empties the queue. The kernel works inside send(2), so no answer comes later. */
  #drain(): void {
    while (this.#receiveQueued() !== undefined) continue
  }

  /** @returns whether nothing changed underneath */
  #dumpOnce(type: number, body: (writer: MessageWriter) => void, visit: (message: Message) => void): boolean {
    const writer = this.writer()
    const sequence = writer.nextSequence
    writer.begin(type, NLM_F_DUMP)
    body(writer)
    this.#sequence = writer.end().nextSequence
    sys.send(this.fd, writer.bytes())
    let interrupted = false
    let failure: { error: unknown } | undefined
    for (;;) {
      const datagram = this.#receiveWhole()
      if (datagram === undefined) interrupted = true
      for (const message of messages(datagram ?? new Uint8Array(0))) {
        if (message.sequence !== sequence) continue
        if (message.flags & NLM_F_DUMP_INTR) interrupted = true
        if (isFinal(message)) {
          const { errno, text } = outcome(message)
          if (errno !== 0) throw new DumpError(errno, text)
          if (failure !== undefined) throw failure.error
          return !interrupted
        }
        // The rest of the dump has to be read in any case, or the kernel refuses the next one.
        try {
          if (failure === undefined) visit(message)
        } catch (error) {
          failure = { error }
        }
      }
    }
  }

  /** The next datagram if one is there. Only for acknowledgements: capped ones are smaller than any buffer of ours. */
  #receiveQueued(): Uint8Array | undefined {
    const buffer = this.#memory()
    for (;;) {
      try {
        return buffer.subarray(0, sys.receive(this.fd, buffer, sys.MSG_DONTWAIT))
      } catch (error) {
        if (error instanceof sys.SystemCallError && error.errno === EAGAIN) return undefined
        // reported once for a queue that overran; what is queued can be read after it
        if (!overrun(error)) throw error
      }
    }
  }

  /** One datagram; its size is asked first, so that it is never cut. `undefined`: the queue had overrun. */
  #receiveWhole(): Uint8Array | undefined {
    try {
      const size = sys.receive(this.fd, NOTHING, sys.MSG_PEEK | sys.MSG_TRUNC)
      const buffer = this.#memory(size)
      return buffer.subarray(0, sys.receive(this.fd, buffer))
    } catch (error) {
      if (overrun(error)) return undefined
      throw error
    }
  }

  #memory(needed = HEADER_LENGTH): Uint8Array {
    if (this.#buffer === undefined || this.#buffer.length < needed) this.#buffer = this.spare.buffer(Math.max(RECEIVE_BUFFER, needed * 2))
    return this.#buffer
  }
}

const NOTHING = new Uint8Array(0)

const overrun = (error: unknown): boolean => error instanceof sys.SystemCallError && error.errno === ENOBUFS

/** The kernel refused a dump. */
export class DumpError extends sys.SystemCallError {
  constructor(
    errno: number,
    readonly kernelText: string | undefined,
  ) {
    super('netlink dump', errno)
  }
}
