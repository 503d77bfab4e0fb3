import koffi from 'koffi'
import { SystemCallError } from '../system-call-error.js'

const MSG_DONTWAIT = 0x40
const MSG_TRUNC = 0x20
const EAGAIN = 11
const EINTR = 4
const ENOBUFS = 105
const SOL_NETLINK = 270
const NETLINK_LISTEN_ALL_NSID = 8
const CONTROL_LENGTH = 64
const MESSAGE_LENGTH = 64 * 1024

const recvmsg = koffi.load(null).func('recvmsg', 'intptr_t', ['int', 'void *', 'int']) as (
  fd: number,
  header: unknown,
  flags: number,
) => number
const Vector = koffi.struct({ base: 'void *', length: 'size_t' })
const Header = koffi.struct({
  name: 'void *',
  nameLength: 'uint32_t',
  vectors: koffi.pointer(Vector),
  vectorCount: 'size_t',
  control: 'void *',
  controlLength: 'size_t',
  flags: 'int',
})
/** struct cmsghdr: length, level, type; then the data. */
const ControlHeader = koffi.struct({ length: 'size_t', level: 'int', type: 'int' })
const NSID_OFFSET = koffi.sizeof(ControlHeader)

export interface Datagram {
  /** A view of the receiver's memory: valid until the next {@link Receiver.next}. */
  bytes: Uint8Array
  /** Namespace that a message of another namespace came from (NETLINK_LISTEN_ALL_NSID); absent: the socket's own. */
  nsid?: number
}

/**
 * recvmsg(2) for sockets that other namespaces report to: which one a message is from stands in ancillary data. The
 * memory that the system call writes to is kept, and freed with {@link close}.
 */
export class Receiver {
  #data: unknown = koffi.alloc('uint8_t', MESSAGE_LENGTH)
  #control: unknown = koffi.alloc('uint8_t', CONTROL_LENGTH)
  #vector: unknown = koffi.alloc(Vector, 1)
  #header: unknown = koffi.alloc(Header, 1)
  #bytes = new Uint8Array(koffi.view(this.#data, MESSAGE_LENGTH))

  constructor() {
    koffi.encode(this.#vector, Vector, { base: this.#data, length: MESSAGE_LENGTH })
  }

  /** The next message without waiting; `overrun` when the kernel had to drop some, `undefined` when there is none. */
  next(fd: number): Datagram | 'overrun' | undefined {
    for (;;) {
      const vectors = { vectors: this.#vector, vectorCount: 1, control: this.#control, controlLength: CONTROL_LENGTH }
      koffi.encode(this.#header, Header, { name: null, nameLength: 0, flags: 0, ...vectors })
      const length = recvmsg(fd, this.#header, MSG_DONTWAIT)
      if (length >= 0) return this.#datagram(length)
      const errno = koffi.errno()
      if (errno === EAGAIN) return undefined
      if (errno === ENOBUFS) return 'overrun'
      if (errno !== EINTR) throw new SystemCallError('recvmsg', errno)
    }
  }

  close(): void {
    // The view must not outlive the memory.
    this.#bytes = new Uint8Array(0)
    for (const memory of [this.#data, this.#control, this.#vector, this.#header]) koffi.free(memory)
  }

  #datagram(length: number): Datagram | 'overrun' {
    const { controlLength, flags } = koffi.decode(this.#header, Header) as { controlLength: number; flags: number }
    // Larger than any that the kernel sends today; a part of it is as good as none.
    if ((flags & MSG_TRUNC) !== 0) return 'overrun'
    const nsid = controlLength < NSID_OFFSET + 4 ? undefined : this.#nsid()
    return { bytes: this.#bytes.subarray(0, length), ...(nsid === undefined ? {} : { nsid }) }
  }

  #nsid(): number | undefined {
    const { level, type } = koffi.decode(this.#control, ControlHeader) as { level: number; type: number }
    if (level !== SOL_NETLINK || type !== NETLINK_LISTEN_ALL_NSID) return undefined
    return koffi.decode(this.#control, NSID_OFFSET, 'int') as number
  }
}
