import type { KernelObjectKind, ObjectOf, Place } from '../contracts/kernel-objects.js'
import type { MessageWriter } from './netlink/writer.js'
import type { NetlinkSocket } from './netlink/socket.js'

export const NETLINK_ROUTE = 0
export const NETLINK_XFRM = 6
export const NETLINK_NETFILTER = 12
export const NETLINK_GENERIC = 16

/**
 * What a handler may use while a transaction runs. Messages that go to the same socket one after the other travel
 * in one send(2); asking for the writer of another socket, or for {@link flush}, sends what is pending, so that the
 * order of operations is the order in the kernel.
 */
export interface TransactionContext {
  /** Where to write the next messages for the namespace `at`. Every message must carry NLM_F_ACK. */
  writer(at: Place, protocol: number): MessageWriter
  /** Sends what is pending and throws the CnmError of the first message that the kernel refused. */
  flush(): void
  /** A socket in that namespace for gets and dumps; flushes first. */
  socket(at: Place, protocol: number): NetlinkSocket
  /** Interface index of a link, also of one that this transaction creates. @throws CnmError ERR_CNM_LINK_NOT_FOUND */
  linkIndex(at: Place, name: string): number
  /** Chooses the index for a link about to be created (`wanted`, or the next free one) and remembers it under its name. */
  newLinkIndex(at: Place, name: string, wanted?: number): number
  /** The link is gone or has another name: forget its index. */
  forgetLink(at: Place, name: string): void
  /** Name of a link by index, or `undefined`. */
  linkName(at: Place, index: number): string | undefined
  /** Descriptor of the namespace, for IFLA_NET_NS_FD. */
  namespaceFd(at: Place): number
  /** Runs `body` with the calling thread inside the namespace. */
  inside<T>(at: Place, body: () => T): T
  /** What a handler remembers while this context lasts: one instance of its class, made at first use. */
  note<T extends object>(kind: new () => T): T
  /** The same for what it keeps from one context to the next, as long as the thread lives. */
  kept<T extends object>(kind: new () => T): T
}

/**
 * How one kind of object is made, changed, removed and listed. Netlink kinds append messages to the context's
 * writer and return; kinds that act directly (sysctl, mounts) flush first.
 */
export interface ObjectHandler<K extends KernelObjectKind> {
  create(object: ObjectOf<K>, context: TransactionContext, replace: boolean): void
  change(from: ObjectOf<K>, to: ObjectOf<K>, context: TransactionContext): void
  remove(object: ObjectOf<K>, context: TransactionContext): void
  /**
   * Every object of this kind in a namespace, in normal form: what create() of the result would make again.
   * @param tables for kinds of nftables, only what is in these tables, each as `inet cnm`; absent: all
   */
  list?(at: Place, context: TransactionContext, tables?: readonly string[]): ObjectOf<K>[]
  /** The object with this identity as it is now, in normal form. Where absent, the engine looks through {@link list}. */
  read?(object: ObjectOf<K>, context: TransactionContext): ObjectOf<K> | undefined
  /** The nearest shell command, for error messages and plans: `ip link add br0 type bridge`. */
  describe(action: 'create' | 'change' | 'delete', object: ObjectOf<K>): string
}
