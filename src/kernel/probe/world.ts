import { Namespaces, type Namespace } from '../namespaces.js'
import { NetlinkSocket } from '../netlink/socket.js'
import * as sys from '../syscalls.js'

/**
 * A network namespace that exists only while it is asked questions: nothing outside sees it, and with the last socket
 * closed the kernel drops it with all that was made in it. Made at first use.
 */
export class ProbeWorld {
  #namespaces = new Namespaces()
  #namespace: Namespace | undefined
  #refused: Error | undefined
  #sockets = new Map<number, NetlinkSocket>()

  /** Runs `body` with the calling thread inside. @throws SystemCallError when no namespace may be made */
  inside<T>(body: () => T): T {
    return this.#namespaces.inside(this.#made(), body)
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
    if (this.#namespace !== undefined) sys.close(this.#namespace.fd)
    this.#namespaces.close()
  }

  /** A refusal is not tried again for every feature. */
  #made(): Namespace {
    if (this.#refused !== undefined) throw this.#refused
    try {
      this.#namespace ??= this.#namespaces.make(() => undefined)
      return this.#namespace
    } catch (error) {
      this.#refused = error instanceof Error ? error : new Error(String(error))
      throw error
    }
  }
}
