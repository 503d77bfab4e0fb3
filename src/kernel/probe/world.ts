import { NetlinkSocket } from '../netlink/socket.js'
import * as sys from '../syscalls.js'

/**
 * A network namespace that exists only while it is asked questions: nothing outside sees it, and with the last socket
 * closed the kernel drops it with all that was made in it. Made at first use.
 */
export class ProbeWorld {
  #sockets = new Map<number, NetlinkSocket>()
  #fd: number | undefined
  #refused: unknown

  /** Runs `body` with the calling thread inside. @throws SystemCallError when no namespace may be made */
  inside<T>(body: () => T): T {
    if (this.#refused !== undefined) throw this.#refused
    const home = sys.open('/proc/thread-self/ns/net', sys.O_RDONLY)
    try {
      this.#enter()
      try {
        return body()
      } finally {
        sys.setns(home, sys.CLONE_NEWNET)
      }
    } finally {
      sys.close(home)
    }
  }

  /** A netlink socket inside. @throws SystemCallError when the kernel lacks the protocol */
  socket(protocol: number): NetlinkSocket {
    const known = this.#sockets.get(protocol)
    if (known !== undefined) return known
    const socket = this.inside(() => new NetlinkSocket(protocol))
    this.#sockets.set(protocol, socket)
    return socket
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.close()
    this.#sockets.clear()
    if (this.#fd !== undefined) sys.close(this.#fd)
    this.#fd = undefined
  }

  #enter(): void {
    if (this.#fd !== undefined) {
      sys.setns(this.#fd, sys.CLONE_NEWNET)
      return
    }
    try {
      sys.unshare(sys.CLONE_NEWNET)
    } catch (error) {
      this.#refused = error
      throw error
    }
    this.#fd = sys.open('/proc/thread-self/ns/net', sys.O_RDONLY)
  }
}
