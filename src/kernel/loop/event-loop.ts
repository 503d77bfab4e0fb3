import { arch } from 'node:process'
import type { Arena } from './arena.js'
import { close, epollControl, epollCreate, epollWait, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, SOCK_CLOEXEC } from './system-calls.js'
import { Timers } from './timers.js'

/** Something with a descriptor that becomes ready. */
export interface Handler {
  readonly fd: number
  /** Called with EPOLL* bits. May remove itself or others. */
  ready(events: number): void
}

const MAX_EVENTS = 256
/** struct epoll_event is packed on x86 only. */
const PACKED = arch === 'x64' || arch === 'ia32'
const EVENT_SIZE = PACKED ? 12 : 16
const DATA = PACKED ? 4 : 8
/** Milliseconds of looking for more before sleeping, about what a sleep and being woken take. */
const EAGERNESS = 0.05

/**
 * epoll(7), blocking, on a thread that does nothing else. Level-triggered: a handler need not drain its socket, which
 * keeps a busy one from starving the rest.
 */
export class EventLoop {
  /** Set by a handler at a turn in which much came: the next turn looks for more for a moment before it sleeps. */
  eager = false
  readonly timers: Timers
  /** Milliseconds, of the beginning of this turn. */
  now: number
  readonly #epoll: number
  readonly #arena: Arena
  readonly #events: number
  readonly #event: number
  readonly #handlers: (Handler | undefined)[] = []
  readonly #keys = new Map<number, number>()
  #free: number[] = []
  /** Keys that became free during this turn: an event of the same turn may still name them. */
  #released: number[] = []
  readonly #failed: (error: unknown) => void

  /** @param failed told about errors that handlers and timers throw; the loop goes on */
  constructor(arena: Arena, failed: (error: unknown) => void) {
    this.#arena = arena
    this.#failed = failed
    this.#events = arena.take(MAX_EVENTS * EVENT_SIZE)
    this.#event = arena.take(EVENT_SIZE)
    this.now = performance.now()
    this.timers = new Timers(this.now, failed)
    this.#epoll = epollCreate(SOCK_CLOEXEC)
    if (this.#epoll < 0) throw new Error(`epoll_create1: errno ${-this.#epoll}`)
  }

  add(handler: Handler, events: number): void {
    const key = this.#free.pop() ?? this.#handlers.length
    this.#handlers[key] = handler
    this.#keys.set(handler.fd, key)
    const result = this.#control(EPOLL_CTL_ADD, handler.fd, events, key)
    if (result < 0) {
      this.#release(handler.fd, key)
      throw new Error(`epoll_ctl add ${handler.fd}: errno ${-result}`)
    }
  }

  change(handler: Handler, events: number): void {
    const key = this.#keys.get(handler.fd)
    if (key !== undefined) this.#control(EPOLL_CTL_MOD, handler.fd, events, key)
  }

  /** Before the descriptor is closed. */
  remove(handler: Handler): void {
    const key = this.#keys.get(handler.fd)
    if (key === undefined || this.#handlers[key] !== handler) return
    this.#control(EPOLL_CTL_DEL, handler.fd, 0, key)
    this.#release(handler.fd, key)
  }

  #release(fd: number, key: number): void {
    this.#handlers[key] = undefined
    this.#keys.delete(fd)
    this.#released.push(key)
  }

  #control(operation: number, fd: number, events: number, key: number): number {
    this.#arena.words[this.#event >> 2] = events
    this.#arena.words[(this.#event + DATA) >> 2] = key
    this.#arena.words[((this.#event + DATA) >> 2) + 1] = 0
    return epollControl(this.#epoll, operation, fd, this.#arena.address(this.#event))
  }

  /** One turn: waits at most `longest` milliseconds, then calls what is ready and what is due. */
  turn(longest: number): void {
    const due = this.timers.wait(performance.now())
    const timeout = due === -1 ? longest : Math.min(longest, due)
    const count = this.#wait(timeout)
    this.now = performance.now()
    this.eager = false
    const words = this.#arena.words
    for (let i = 0; i < count; i++) {
      const at = this.#events + i * EVENT_SIZE
      const handler = this.#handlers[words[(at + DATA) >> 2]!]
      if (handler === undefined) continue
      try {
        handler.ready(words[at >> 2]!)
      } catch (error) {
        this.#failed(error)
      }
    }
    this.timers.advance(this.now)
    if (this.#released.length > 0) {
      this.#free = this.#free.concat(this.#released)
      this.#released = []
    }
  }

  /** Sleeping and being woken costs more than a look, where the next work is about to come. */
  #wait(timeout: number): number {
    const events = this.#arena.address(this.#events)
    if (this.eager) {
      const end = performance.now() + EAGERNESS
      do {
        const count = epollWait(this.#epoll, events, MAX_EVENTS, 0)
        if (count !== 0) return count
      } while (performance.now() < end)
    }
    return epollWait(this.#epoll, events, MAX_EVENTS, timeout)
  }

  close(): void {
    close(this.#epoll)
  }
}
