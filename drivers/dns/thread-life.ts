import { closeSync, writeSync } from 'node:fs'
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads'
import type { DnsTuning } from './contract.js'
import type { DnsMessage, DnsReport, DnsThreadData } from './messages.js'

/** Adds one to an eventfd(2). */
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer)

export interface ThreadEvents {
  report(report: DnsReport): void
  fault(error: Error): void
  /** It ended without being told to. */
  died(): void
}

/**
 * One worker thread, from start to end. It never returns to Node's event loop: messages are posted to a port that it
 * reads when the shared word says so, and an eventfd wakes it from epoll_wait(2).
 */
export class ThreadLife {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #unread = new Int32Array(new SharedArrayBuffer(4))
  readonly #startedAt = Date.now()
  #wakeFd: number | undefined
  #stopped = false
  #ended = false

  constructor(tuning: DnsTuning, events: ThreadEvents) {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const workerData: DnsThreadData = { port: port2, unread: this.#unread.buffer, tuning }
    // The thread's file lies beside this one in either build.
    const entry = import.meta.url.endsWith('.cjs') ? './dns-thread.cjs' : './dns-thread.js'
    this.#worker = new Worker(new URL(entry, import.meta.url), {
      name: 'libcnm-dns',
      workerData,
      transferList: [port2],
      // Flags of the program (loaders, inspectors) are not for this thread.
      execArgv: [],
      trackUnmanagedFds: false,
    })
    port1.on('message', (report: DnsReport) => {
      if (report.is === 'ready') this.#ready(report.wakeFd)
      else events.report(report)
    })
    this.#worker.on('error', (error: Error) => events.fault(error))
    this.#worker.once('exit', () => this.#exited(events))
    this.#worker.unref()
    port1.unref()
  }

  get age(): number {
    return Date.now() - this.#startedAt
  }

  get ended(): boolean {
    return this.#ended
  }

  post(message: DnsMessage): void {
    if (this.#stopped || this.#ended) return
    if (message.do === 'stop') this.#stopped = true
    this.#port.postMessage(message)
    if (Atomics.exchange(this.#unread, 0, 1) === 0) this.#wake()
  }

  #ready(wakeFd: number): void {
    this.#wakeFd = wakeFd
    // Messages may have come between its last look and now.
    if (Atomics.load(this.#unread, 0) === 1) this.#wake()
  }

  /** Never blocks: an eventfd takes 2^64 - 2 wake-ups. */
  #wake(): void {
    if (this.#wakeFd !== undefined) writeSync(this.#wakeFd, ONE)
  }

  /** Whether the process has to stay alive for an answer. */
  hold(wanted: boolean): void {
    if (wanted) this.#port.ref()
    else this.#port.unref()
  }

  #exited(events: ThreadEvents): void {
    this.#ended = true
    // One that ended at once may have told its descriptor without our having read it.
    const last = receiveMessageOnPort(this.#port)?.message as DnsReport | undefined
    if (last?.is === 'ready') this.#wakeFd = last.wakeFd
    this.#port.close()
    if (this.#wakeFd !== undefined) closeSync(this.#wakeFd)
    this.#wakeFd = undefined
    if (!this.#stopped) events.died()
  }

  /** @returns whether it ended in order, its sockets closed */
  async stop(): Promise<boolean> {
    if (this.#ended) return false
    const exited = new Promise<number>((resolve) => this.#worker.once('exit', resolve))
    this.post({ do: 'stop' })
    this.#worker.ref()
    return (await exited) === 0
  }
}
