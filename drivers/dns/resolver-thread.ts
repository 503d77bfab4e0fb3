import { closeSync } from 'node:fs'
import { LoopThread } from '../../src/kernel/index.js'
import type { DnsTuning } from './contract.js'
import type { KnownState } from './known-state.js'
import type { DnsMessage, DnsReport } from './messages.js'

/** Milliseconds before a thread that died is replaced; doubled each time, up to the second value. */
const RESTART = 50
const LONGEST_RESTART = 10_000
/** One that lived this long is not dying again and again. */
const HEALTHY = 60_000

interface Ticket {
  resolve: (result: unknown) => void
  /** Descriptors that the thread was to close. */
  closes: readonly number[]
}

/** The program's side of the resolver's thread: posts messages, matches answers, and replaces a thread that died. */
export class ResolverThread {
  readonly #tuning: DnsTuning
  readonly #known: KnownState
  readonly #onFault: (error: Error) => void
  readonly #tickets = new Map<number, Ticket>()
  readonly #stopAtExit = (): void => this.#life.post({ do: 'stop' })
  #life: LoopThread<DnsMessage, DnsReport>
  #lastTicket = 0
  #restartAfter = RESTART
  #restart: NodeJS.Timeout | undefined
  #closing = false

  /** Starts the thread and tells it everything known. */
  constructor(tuning: DnsTuning, known: KnownState, onFault: (error: Error) => void) {
    this.#tuning = tuning
    this.#known = known
    this.#onFault = onFault
    this.#life = this.#begin()
    // Node waits for its threads when the process ends; this one has to be woken for it.
    process.once('exit', this.#stopAtExit)
  }

  #begin(): LoopThread<DnsMessage, DnsReport> {
    // The thread's file lies beside this one in either build.
    const entry = import.meta.url.endsWith('.cjs') ? './dns-thread.cjs' : './dns-thread.js'
    const life = new LoopThread<DnsMessage, DnsReport>(
      { entry: new URL(entry, import.meta.url), name: 'libcnm-dns', data: { tuning: this.#tuning } },
      { report: (report) => this.#receive(report), fault: this.#onFault, died: () => this.#died() },
    )
    for (const message of this.#known.messages()) life.post(message)
    return life
  }

  post(message: DnsMessage): void {
    this.#life.post(message)
  }

  /**
   * Posts a message that is answered, and waits for the answer; the process stays alive meanwhile. Between two threads
   * there is none.
   * @param closes descriptors that the thread closes; closed here if it dies before
   */
  ask<T>(message: (ticket: number) => DnsMessage, closes: readonly number[] = []): Promise<T | undefined> {
    if (this.#life.ended) {
      for (const fd of closes) closeSync(fd)
      return Promise.resolve(undefined)
    }
    return new Promise((resolve) => {
      const ticket = ++this.#lastTicket
      this.#tickets.set(ticket, { resolve: resolve as (result: unknown) => void, closes })
      this.#life.hold(true)
      this.#life.post(message(ticket))
    })
  }

  #receive(report: DnsReport): void {
    switch (report.is) {
      case 'fault':
        return this.#onFault(Object.assign(new Error(`DNS resolver: ${report.message}`), { stack: report.stack }))
      case 'done':
        return this.#settle(report.ticket, undefined)
      case 'statistics':
        return this.#settle(report.ticket, report.statistics)
      case 'ready':
    }
  }

  #settle(ticket: number, result: unknown): void {
    this.#tickets.get(ticket)?.resolve(result)
    this.#tickets.delete(ticket)
    if (this.#tickets.size === 0) this.#life.hold(false)
  }

  /** The sockets of the sandboxes are still open, and wait for the next one. */
  #died(): void {
    for (const { resolve, closes } of this.#tickets.values()) {
      for (const fd of closes) closeSync(fd)
      resolve(undefined)
    }
    this.#tickets.clear()
    if (this.#closing) return
    this.#restartAfter = this.#life.age > HEALTHY ? RESTART : Math.min(this.#restartAfter * 2, LONGEST_RESTART)
    this.#restart = setTimeout(() => (this.#life = this.#begin()), this.#restartAfter)
    this.#restart.unref()
  }

  /** Ends the thread; it closes the sockets first. */
  async close(): Promise<void> {
    this.#closing = true
    clearTimeout(this.#restart)
    process.removeListener('exit', this.#stopAtExit)
    if (!(await this.#life.stop())) for (const fd of this.#known.sockets()) closeSync(fd)
  }
}
