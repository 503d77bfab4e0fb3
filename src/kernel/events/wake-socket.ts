import { readdirSync } from 'node:fs'
import koffi from 'koffi'
import { CnmError } from '../../contracts/errors.js'
import { u16, u32 } from '../netlink/reader.js'
import * as sys from '../syscalls.js'

const SOL_NETLINK = 270
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const NETLINK_NO_ENOBUFS = 5
const NETLINK_LISTEN_ALL_NSID = 8
const SO_ATTACH_FILTER = 26
const SO_DETACH_FILTER = 27
const F_DUPFD_CLOEXEC = 1030
/** linux/filter.h: struct sock_filter { u16 code, u8 jt, u8 jf, u32 k }; this one is `return 0`, which takes no byte. */
const BPF_RET = 0x06
const FILTER_LENGTH = 8

/**
 * The netlink socket that the program's thread waits on, prepared before it joins any group. It only wakes: its buffer is
 * as small as the kernel allows, and what does not fit is dropped without an error. The error would be worse than useless:
 * it reaches libuv as an error condition of the descriptor, which the native code of the netlink package (0.3.0) turns
 * into the end of the process.
 *
 * Descriptors belong to the process, and options to the socket, so this thread may set them.
 */
export class WakeSocket {
  /** Our own: the program may close its one at any time, and the number be somebody else's then. */
  readonly #fd: number
  #listens = true

  constructor(port: number, allNamespaces: boolean) {
    this.#fd = sys.fcntl(netlinkDescriptor(port), F_DUPFD_CLOEXEC, 0)
    sys.setSocketOption(this.#fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
    sys.setSocketOption(this.#fd, SOL_SOCKET, SO_RCVBUF, 1)
    if (allNamespaces) sys.setSocketOption(this.#fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1)
  }

  /** Whether news wake the program: not while it looks by itself, or it would be woken by each of a hundred. */
  listen(wanted: boolean): void {
    if (wanted === this.#listens) return
    if (wanted) sys.setSocketOption(this.#fd, SOL_SOCKET, SO_DETACH_FILTER, 0)
    else takeNothing(this.#fd)
    this.#listens = wanted
  }

  close(): void {
    sys.close(this.#fd)
  }
}

function takeNothing(fd: number): void {
  const filter: unknown = koffi.alloc('uint8_t', FILTER_LENGTH)
  try {
    koffi.encode(filter, 'uint16_t', BPF_RET)
    koffi.encode(filter, 4, 'uint32_t', 0)
    // struct sock_fprog { u16 length, struct sock_filter *filter }
    const program = new Uint8Array(16)
    new Uint16Array(program.buffer)[0] = 1
    new BigUint64Array(program.buffer)[1] = koffi.address(filter)
    sys.setSocketOption(fd, SOL_SOCKET, SO_ATTACH_FILTER, program)
  } finally {
    koffi.free(filter)
  }
}

/** The descriptor of this process's netlink socket that is bound to `port`, a number unique within a protocol. */
function netlinkDescriptor(port: number): number {
  const found = readdirSync('/proc/self/fd')
    .map(Number)
    .find((fd) => netlinkPort(fd) === port)
  if (found === undefined) throw new CnmError('ERR_CNM_KERNEL', `no netlink socket of this process has port ${port}`)
  return found
}

function netlinkPort(fd: number): number | undefined {
  try {
    const address = sys.socketAddress(fd)
    return u16(address) === sys.AF_NETLINK ? u32(address, 4) : undefined
  } catch {
    // not a socket, or closed meanwhile
    return undefined
  }
}
