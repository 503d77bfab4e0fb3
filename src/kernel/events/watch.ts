import type { RawNetlinkSocket } from 'netlink/dist/raw.js'
import { CnmError } from '../../contracts/errors.js'
import type { Place } from '../../contracts/kernel-objects.js'
import { asCnmError } from '../errors.js'
import type { Drained, EventCalls } from './calls.js'
import type { KernelEvent } from './event.js'
import { multicastGroups, type WatchGroup } from './groups.js'

export interface WatchOptions {
  groups: readonly WatchGroup[]
  /** `host`: the namespace that the program started in. `all`: also those that {@link KernelWatch.follow} names. Default `host`. */
  namespaces?: 'host' | 'all'
  /** Ends the watch. */
  signal?: AbortSignal
  /** Memory for events that have not been read yet, of each protocol. Default 4 MiB, about 3,000 link events. */
  bufferBytes?: number
}

/** {@link EventCalls}, on the other side of the message port. */
export type EventThread = { [K in keyof EventCalls]: (...args: Parameters<EventCalls[K]>) => Promise<ReturnType<EventCalls[K]>> }

/** {@link EventThread} from whatever carries calls to the kernel thread. */
export function eventThread(call: <K extends keyof EventCalls>(name: K, ...args: Parameters<EventCalls[K]>) => Promise<ReturnType<EventCalls[K]>>): EventThread {
  return {
    prepareWake: (...args) => call('prepareWake', ...args),
    openEvents: (...args) => call('openEvents', ...args),
    drainEvents: (...args) => call('drainEvents', ...args),
    closeEvents: (...args) => call('closeEvents', ...args),
    followNamespace: (...args) => call('followNamespace', ...args),
    unfollowNamespace: (...args) => call('unfollowNamespace', ...args),
  }
}

type Listener = (events: KernelEvent[]) => void

const DEFAULT_BUFFER = 4 * 1024 * 1024
/** Milliseconds after which is looked once more, in case that the wake-up came before the event itself. */
const SECOND_LOOK = 50

/** Events of the kernel. Never keeps the program running. */
export class KernelWatch implements Disposable {
  #sources: Source[] = []
  #closed = false

  private constructor(private readonly thread: EventThread) {}

  /**
   * Begins to watch: what happens after the promise is fulfilled is reported, in order, in batches.
   * @throws CnmError ERR_CNM_INVALID_ARGUMENT, ERR_CNM_ABORTED, ERR_CNM_NOT_PERMITTED
   */
  static async open(thread: EventThread, options: WatchOptions, listener: Listener): Promise<KernelWatch> {
    const watch = new KernelWatch(thread)
    const { signal } = options
    try {
      for (const [protocol, groups] of multicastGroups(options.groups)) {
        if (signal?.aborted === true) throw new CnmError('ERR_CNM_ABORTED', 'watch: aborted', { cause: signal.reason })
        watch.#sources.push(await Source.open(thread, protocol, groups, options, listener))
      }
    } catch (error) {
      watch.close()
      throw asCnmError(error, 'watch')
    }
    signal?.addEventListener('abort', () => watch.close(), { once: true })
    return watch
  }

  /** With `namespaces: 'all'`: report events of this namespace too, as happening at `at`. Until {@link unfollow}, or until it is gone. */
  async follow(at: Place): Promise<void> {
    if (this.#closed) throw new CnmError('ERR_CNM_CLOSED', 'this watch is closed')
    await this.thread.followNamespace(at)
  }

  async unfollow(at: Place): Promise<void> {
    if (!this.#closed) await this.thread.unfollowNamespace(at)
  }

  close(): void {
    this.#closed = true
    for (const source of this.#sources) source.close()
    this.#sources = []
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/**
 * One protocol. Two sockets are joined to the same groups: one here, of the netlink package, because libuv waits on it
 * without a thread; its content is thrown away. The other, on the kernel thread, keeps the events: it can have a large
 * buffer, tells from which namespace a message is, and reports losses.
 */
class Source {
  #id: number | undefined
  #draining = false
  #again = false
  #closed = false
  #timer: NodeJS.Timeout | undefined

  private constructor(
    private readonly thread: EventThread,
    private readonly wake: RawNetlinkSocket,
    private readonly listener: Listener,
  ) {}

  static async open(thread: EventThread, protocol: number, groups: readonly number[], options: WatchOptions, listener: Listener): Promise<Source> {
    // Only the socket: the whole package takes 35 ms to load, this part of it 6.
    const { RawNetlinkSocket } = await import('netlink/dist/raw.js')
    const wake = new RawNetlinkSocket(protocol)
    wake.unref()
    const source = new Source(thread, wake, listener)
    try {
      await source.#begin(protocol, groups, options)
      return source
    } catch (error) {
      source.close()
      throw error
    }
  }

  async #begin(protocol: number, groups: readonly number[], { namespaces = 'host', bufferBytes = DEFAULT_BUFFER }: WatchOptions): Promise<void> {
    const allNamespaces = namespaces === 'all'
    this.wake.on('message', () => this.#woken())
    this.wake.on('truncatedMessage', () => this.#woken())
    this.wake.on('error', () => this.#woken())
    await this.thread.prepareWake(this.wake.address().port, allNamespaces)
    for (const group of groups) this.wake.addMembership(group)
    // Last to join is first to be served: the kernel thread's socket has an event before this one wakes us.
    this.#id = await this.thread.openEvents({ protocol, groups, allNamespaces, bufferBytes })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.wake.close()
    if (this.#id !== undefined) this.thread.closeEvents(this.#id).catch(() => undefined)
  }

  #woken(): void {
    this.#again = true
    if (!this.#draining && !this.#closed) void this.#drain()
  }

  async #drain(): Promise<void> {
    this.#draining = true
    clearTimeout(this.#timer)
    try {
      while (this.#again && !this.#closed && this.#id !== undefined) {
        this.#again = false
        const drained = await this.thread.drainEvents(this.#id)
        this.#again ||= drained.more
        this.#deliver(drained)
      }
      this.#timer = setTimeout(() => this.#lookAgain(), SECOND_LOOK).unref()
    } catch (error) {
      this.#fail(error)
    } finally {
      this.#draining = false
    }
  }

  #deliver({ events }: Drained): void {
    if (events.length > 0 && !this.#closed) this.listener(events)
  }

  #lookAgain(): void {
    if (this.#closed || this.#draining || this.#id === undefined) return
    this.thread.drainEvents(this.#id).then((drained) => this.#deliver(drained), (error: unknown) => this.#fail(error))
  }

  #fail(error: unknown): void {
    if (this.#closed) return
    this.close()
    this.listener([{ kind: 'failed', error: asCnmError(error, 'watch') }])
  }
}
