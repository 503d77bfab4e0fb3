import { messages, type Message } from '../netlink/reader.js'
import { NetlinkSocket } from '../netlink/socket.js'
import * as sys from '../syscalls.js'
import type { Receiver } from './receive.js'

const SOL_NETLINK = 270
const NETLINK_ADD_MEMBERSHIP = 1
const NETLINK_LISTEN_ALL_NSID = 8

/** A message that the kernel sent to everyone. */
export interface Notification {
  message: Message
  /** See {@link Datagram.nsid}. */
  nsid?: number
}

/** A socket that is joined to multicast groups and read when somebody says that there is something to read. */
export class EventSocket {
  #socket: NetlinkSocket

  /** @param bufferBytes memory for what has not been read yet, beyond the system's limit where we may */
  constructor(
    readonly protocol: number,
    groups: readonly number[],
    { allNamespaces, bufferBytes }: { allNamespaces: boolean; bufferBytes: number },
  ) {
    this.#socket = new NetlinkSocket(protocol)
    try {
      this.#socket.enlarge(bufferBytes)
      if (allNamespaces) sys.setSocketOption(this.#socket.fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1)
      for (const group of groups) sys.setSocketOption(this.#socket.fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group)
    } catch (error) {
      this.#socket.close()
      throw error
    }
  }

  /** What has arrived, until `limit` messages were given; `overrun` where some were lost. */
  *drain(receiver: Receiver, limit: number): Generator<Notification | 'overrun'> {
    for (let count = 0; count < limit;) {
      const datagram = receiver.next(this.#socket.fd)
      if (datagram === undefined) return
      if (datagram === 'overrun') {
        yield 'overrun'
        continue
      }
      const { bytes, nsid } = datagram
      for (const message of messages(bytes)) {
        count++
        yield nsid === undefined ? { message } : { message, nsid }
      }
    }
  }

  close(): void {
    this.#socket.close()
  }
}
