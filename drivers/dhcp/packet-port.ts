import { LoopThread } from '../../src/kernel/index.js'
import type { PacketMessage, PacketReport } from './messages.js'

/** Milliseconds that the thread waits for another exchange before it ends. */
const IDLE = 10_000

/** Sockets on one interface, for one exchange with a server. */
export interface PacketSession {
  /** An IPv4 packet to a MAC. Lost like any packet when something is wrong. */
  send(packet: Uint8Array, to: Uint8Array): void
  close(): void
}

/** Called with an IPv4 packet, and the MAC that it came from. */
export type PacketListener = (packet: Uint8Array, from: Uint8Array) => void

/** Packets of interfaces without addresses, in other namespaces. */
export interface PacketPort {
  /** @throws Error when the namespace or the interface is not there */
  open(namespace: string, link: string, listener: PacketListener): Promise<PacketSession>
  /** Whether an address is one of the namespace's own. */
  hasAddress(namespace: string, address: string): Promise<boolean>
}

interface Ticket {
  resolve(value: boolean): void
  reject(error: Error): void
}

/**
 * The program's side of the thread that has the sockets: Node itself takes no packet sockets. The thread runs while
 * there are exchanges, and ends some seconds after the last one.
 */
export class PacketThread implements PacketPort {
  readonly #tickets = new Map<number, Ticket>()
  readonly #listeners = new Map<number, PacketListener>()
  readonly #stopAtExit = (): void => this.#thread?.post({ do: 'stop' })
  #thread: LoopThread<PacketMessage, PacketReport> | undefined
  #idle: NodeJS.Timeout | undefined
  #last = 0

  async open(namespace: string, link: string, listener: PacketListener): Promise<PacketSession> {
    const session = ++this.#last
    this.#listeners.set(session, listener)
    const close = (): void => {
      if (!this.#listeners.delete(session)) return
      this.#thread?.post({ do: 'close', session })
      this.#rest()
    }
    try {
      await this.#ask((ticket) => ({ do: 'open', ticket, session, namespace, link }))
    } catch (error) {
      close()
      throw error
    }
    return { send: (packet, to) => this.#thread?.post({ do: 'send', session, packet, to }), close }
  }

  async hasAddress(namespace: string, address: string): Promise<boolean> {
    try {
      return await this.#ask((ticket) => ({ do: 'has-address', ticket, namespace, address }))
    } finally {
      this.#rest()
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#idle)
    this.#listeners.clear()
    const thread = this.#thread
    this.#forget(new Error('closed'))
    await thread?.stop()
  }

  #ask(message: (ticket: number) => PacketMessage): Promise<boolean> {
    const thread = this.#running()
    return new Promise((resolve, reject) => {
      const ticket = ++this.#last
      this.#tickets.set(ticket, { resolve, reject })
      thread.post(message(ticket))
    })
  }

  #running(): LoopThread<PacketMessage, PacketReport> {
    clearTimeout(this.#idle)
    if (this.#thread !== undefined) return this.#thread
    // The thread's file lies beside this one in either build.
    const entry = import.meta.url.endsWith('.cjs') ? './dhcp-thread.cjs' : './dhcp-thread.js'
    const failed = (error: Error): void => this.#forget(error)
    this.#thread = new LoopThread<PacketMessage, PacketReport>(
      { entry: new URL(entry, import.meta.url), name: 'libcnm-dhcp' },
      { report: (report) => this.#receive(report), fault: failed, died: () => failed(new Error('the thread for DHCP packets ended')) },
    )
    // Node waits for its threads when the process ends; this one has to be woken for it.
    process.once('exit', this.#stopAtExit)
    return this.#thread
  }

  #receive(report: PacketReport): void {
    if (report.is === 'packet') this.#listeners.get(report.session)?.(report.packet, report.from)
    if (report.is !== 'done' && report.is !== 'failed') return
    const ticket = this.#tickets.get(report.ticket)
    this.#tickets.delete(report.ticket)
    if (report.is === 'done') ticket?.resolve(report.value)
    else ticket?.reject(new Error(report.message))
  }

  /** Nothing is under way: the thread may go. */
  #rest(): void {
    if (this.#listeners.size > 0 || this.#tickets.size > 0) return
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => {
      const thread = this.#thread
      this.#forget(new Error('closed'))
      void thread?.stop()
    }, IDLE)
    this.#idle.unref()
  }

  #forget(reason: Error): void {
    process.removeListener('exit', this.#stopAtExit)
    this.#thread = undefined
    for (const { reject } of this.#tickets.values()) reject(reason)
    this.#tickets.clear()
  }
}
