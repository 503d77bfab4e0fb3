import { CnmError } from '../../contracts/errors.js'
import * as sys from '../syscalls.js'
import { attributes, i32, messages, text, u32, type Message } from './reader.js'
import { MessageWriter, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR } from './writer.js'

const SOL_NETLINK = 270
const NETLINK_EXT_ACK = 11
const NETLINK_CAP_ACK = 10
const NETLINK_GET_STRICT_CHK = 12
const SOL_SOCKET = 1
const SO_SNDBUF = 7
const SO_RCVBUF = 8
const SO_RCVBUFFORCE = 33
const SO_SNDBUFFORCE = 32
const NLMSG_ERROR = 2
const NLMSG_DONE = 3
const NLMSGERR_ATTR_MSG = 1
const NLM_F_CAPPED = 0x100
const NLM_F_ACK_TLVS = 0x200
const EAGAIN = 11
const ENOBUFS = 105
const RECEIVE_BUFFER = 64 * 1024
const DUMP_ATTEMPTS = 20

/** The kernel's answer to one message of a batch. `errno` 0 is success. */
export interface Acknowledgement {
  sequence: number
  errno: number
  /** NETLINK_EXT_ACK. */
  text?: string
  /** Messages that came before the acknowledgement (the reply to a get). */
  replies: Message[]
}

/**
 * A blocking netlink socket. It belongs to the network namespace in which the calling thread was when it was
 * opened, whatever namespace the thread enters later.
 */
export class NetlinkSocket {
  readonly fd: number
  #sequence = 1
  #buffer = new Uint8Array(RECEIVE_BUFFER)

  /** @param protocol NETLINK_ROUTE 0, NETLINK_XFRM 6, NETLINK_NETFILTER 12, NETLINK_GENERIC 16 */
  constructor(protocol: number) {
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
    for (const [force, plain] of [[SO_RCVBUFFORCE, SO_RCVBUF], [SO_SNDBUFFORCE, SO_SNDBUF]] as const) {
      try {
        sys.setSocketOption(this.fd, SOL_SOCKET, force, bytes)
      } catch {
        sys.setSocketOption(this.fd, SOL_SOCKET, plain, bytes)
      }
    }
  }

  writer(): MessageWriter {
    return new MessageWriter(this.#sequence)
  }

  /**
   * Sends every message of the writer in one system call and reads one acknowledgement for each. The kernel
   * goes on after a message that failed. Messages must carry NLM_F_ACK ({@link MessageWriter.begin}'s flags).
   */
  exchange(writer: MessageWriter): Acknowledgement[] {
    this.#sequence = writer.nextSequence
    const waiting = new Map<number, Acknowledgement>(writer.sequences.map((sequence) => [sequence, { sequence, errno: -1, replies: [] }]))
    const result = [...waiting.values()]
    sys.send(this.fd, writer.bytes())
    while (waiting.size > 0) {
      for (const message of this.#receive()) {
        const answer = waiting.get(message.sequence)
        if (answer === undefined) continue
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          Object.assign(answer, acknowledgement(message))
          waiting.delete(message.sequence)
        } else answer.replies.push({ ...message, payload: message.payload.slice() })
      }
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
        if (message.type === NLMSG_ERROR) answers.push({ sequence: message.sequence, replies: [], ...acknowledgement(message) })
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
   * @throws CnmError ERR_CNM_KERNEL when the kernel refuses or keeps changing underneath
   */
  dump<T>(type: number, body: (writer: MessageWriter) => void, parse: (message: Message) => T | undefined): T[] {
    for (let attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
      const found = this.#dumpOnce(type, body, parse)
      if (found !== undefined) return found
    }
    throw new CnmError('ERR_CNM_KERNEL', `netlink dump ${type} was interrupted ${DUMP_ATTEMPTS} times in a row`)
  }

  #dumpOnce<T>(type: number, body: (writer: MessageWriter) => void, parse: (message: Message) => T | undefined): T[] | undefined {
    const writer = this.writer()
    const sequence = writer.nextSequence
    writer.begin(type, NLM_F_DUMP)
    body(writer)
    writer.end()
    this.#sequence = writer.nextSequence
    sys.send(this.fd, writer.bytes())
    const found: T[] = []
    let interrupted = false
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue
        if (message.flags & NLM_F_DUMP_INTR) interrupted = true
        if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
          const { errno, text: words } = acknowledgement(message)
          if (errno !== 0) throw new DumpError(errno, words)
          return interrupted ? undefined : found
        }
        const parsed = parse(message)
        if (parsed !== undefined) found.push(parsed)
      }
    }
  }

  close(): void {
    sys.close(this.fd)
  }

  /** The next datagram if one is there. Only for acknowledgements: capped ones are smaller than any buffer of ours. */
  #receiveQueued(): Uint8Array | undefined {
    for (;;) {
      try {
        return this.#buffer.subarray(0, sys.receive(this.fd, this.#buffer, sys.MSG_DONTWAIT))
      } catch (error) {
        if (!(error instanceof sys.SystemCallError)) throw error
        if (error.errno === EAGAIN) return undefined
        // reported once for a queue that overran; what is queued can be read after it
        if (error.errno !== ENOBUFS) throw error
      }
    }
  }

  /** One datagram, whole: its size is asked first, so that no reply is ever cut. */
  *#receive(): Generator<Message> {
    const size = sys.receive(this.fd, this.#buffer.subarray(0, 0), sys.MSG_PEEK | sys.MSG_TRUNC)
    if (size > this.#buffer.length) this.#buffer = new Uint8Array(size * 2)
    const length = sys.receive(this.fd, this.#buffer)
    yield* messages(this.#buffer.subarray(0, length))
  }
}

/** The kernel refused a dump. */
export class DumpError extends sys.SystemCallError {
  constructor(
    errno: number,
    readonly kernelText: string | undefined,
  ) {
    super('netlink dump', errno)
  }
}

function acknowledgement(message: Message): { errno: number; text?: string } {
  const errno = -i32(message.payload)
  // NLMSG_DONE: an int, then TLVs. NLMSG_ERROR: an int, the header of the request (and, uncapped, its body), then TLVs.
  let at = 4
  if (message.type === NLMSG_ERROR) {
    const requestLength = u32(message.payload, 4)
    at = message.flags & NLM_F_CAPPED ? 20 : 4 + ((requestLength + 3) & ~3)
  }
  if (message.flags & NLM_F_ACK_TLVS) {
    for (const attribute of attributes(message.payload, at)) {
      if (attribute.type === NLMSGERR_ATTR_MSG) return { errno, text: text(attribute.value) }
    }
  }
  return { errno }
}

