import type { RawNetlinkSocket } from 'netlink/dist/raw.js'
import { CnmError } from '../../contracts/errors.js'
import { asCnmError } from '../errors.js'
import type { Drained, EventSocketRequest } from './calls.js'
import type { KernelEvent } from './event.js'
import type { EventThread } from './event-thread.js'

/** Milliseconds between two looks while events come one after the other: they then come in batches. */
const PAUSE = 20
/** Milliseconds after which is looked once more, in case that the wake-up came before the event itself. */
const SECOND_LOOK = 50

/**
 * Events of one protocol. Two sockets are joined to the same groups: one here, of the netlink package, because libuv
 * waits on it without a thread; its content is thrown away. The other, on the kernel thread, keeps the events: it can
 * have a large buffer, tells from which namespace a message is, and reports losses.
 */
export class EventSource {
  #wake: RawNetlinkSocket | undefined
  #id: number | undefined
  #looking = false
  #woke = false
  #closed = false
  #timer: NodeJS.Timeout | undefined

  constructor(
    private readonly thread: EventThread,
    private readonly listener: (events: KernelEvent[]) => void,
  ) {}

  /** @throws CnmError ERR_CNM_ABORTED when it is closed meanwhile */
  async open(request: Omit<EventSocketRequest, 'wake'>): Promise<void> {
    // Only the socket: the whole package takes 35 ms to load, this part of it 6.
    const { RawNetlinkSocket } = await import('netlink/dist/raw.js')
    this.#checkOpen()
    const wake = new RawNetlinkSocket(request.protocol)
    this.#wake = wake
    wake.unref()
    for (const news of ['message', 'truncatedMessage', 'error'] as const) wake.on(news, () => this.#woken())
    const { port } = wake.address()
    await this.thread.prepareWake(port, request.allNamespaces)
    this.#checkOpen()
    for (const group of request.groups) wake.addMembership(group)
    // Last to join is first to be served: the kernel thread's socket has an event before this one wakes us.
    const id = await this.thread.openEvents({ ...request, wake: port })
    this.#id = id
    if (this.#closed) void this.thread.closeEvents(id).catch(() => undefined)
    this.#checkOpen()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#timer)
    this.#wake?.close()
    if (this.#id !== undefined) this.thread.closeEvents(this.#id).catch(() => undefined)
  }

  #checkOpen(): void {
    if (this.#closed) throw new CnmError('ERR_CNM_ABORTED', 'watch: closed while it was opened')
  }

  #woken(): void {
    this.#woke = true
    if (!this.#looking && this.#id !== undefined) void this.#look(this.#id, false)
  }

  /**
   * Nothing wakes from the first look on; it is looked again after every pause, until there is nothing.
   * @param again this is the second look: without news, there is no third
   */
  async #look(id: number, again: boolean): Promise<void> {
    this.#looking = true
    this.#woke = false
    clearTimeout(this.#timer)
    let [more, listening] = [true, true]
    try {
      while (more && !this.#closed) {
        const drained = await this.thread.drainEvents(id)
        this.#deliver(drained)
        ;({ more, listening } = drained)
      }
    } catch (error) {
      this.#fail(error)
    }
    if (this.#closed) return
    this.#looking = !listening
    if (!listening) this.#timer = setTimeout(() => void this.#look(id, false), PAUSE).unref()
    else if (this.#woke) void this.#look(id, false)
    else if (!again) this.#timer = setTimeout(() => void this.#look(id, true), SECOND_LOOK).unref()
  }

  #deliver({ events }: Drained): void {
    if (events.length > 0 && !this.#closed) this.listener(events)
  }

  #fail(error: unknown): void {
    if (this.#closed) return
    this.close()
    this.listener([{ kind: 'failed', error: asCnmError(error, 'watch') }])
  }
}
