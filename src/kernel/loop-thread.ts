import { closeSync, writeSync } from 'node:fs'
import { MessageChannel, receiveMessageOnPort, Worker, type MessagePort } from 'node:worker_threads'

/** Adds one to an eventfd(2). */
const ONE = new Uint8Array(new BigUint64Array([1n]).buffer)

/** What such a thread is started with (workerData), besides what is its own. */
export interface LoopThreadData {
  /** Carries messages one way and reports the other. */
  port: MessagePort
  /** One 32-bit word: 1 while messages lie unread in the port. */
  unread: SharedArrayBuffer
}

/** Told to every thread: close everything, and end. */
export interface StopMessage {
  do: 'stop'
}

/** Told by every thread: it serves; an 8-byte write to this descriptor (eventfd(2)) wakes it. Closed by whoever writes. */
export interface ReadyReport {
  is: 'ready'
  wakeFd: number
}

export interface LoopThreadOptions {
  /** File of the thread. */
  entry: URL
  /** What it is called in listings of threads. */
  name: string
  /** Its own part of workerData. */
  data?: object
}

export interface LoopThreadEvents<Report> {
  report(report: Report): void
  fault(error: Error): void
  /** It ended without being told to. */
  died(): void
}

/**
 * One worker thread that runs an event loop of libcnm/kernel's, from start to end. It never returns to Node's event
 * loop: messages are posted to a port that it reads when the shared word says so, and an eventfd wakes it from
 * epoll_wait(2).
 */
export class LoopThread<Message extends { do: string }, Report extends { is: string }> {
  readonly #worker: Worker
  readonly #port: MessagePort
  readonly #unread = new Int32Array(new SharedArrayBuffer(4))
  readonly #startedAt = performance.now()
  #wakeFd: number | undefined
  #stopped = false
  #ended = false

  constructor({ entry, name, data }: LoopThreadOptions, events: LoopThreadEvents<Report>) {
    const { port1, port2 } = new MessageChannel()
    this.#port = port1
    const workerData: LoopThreadData = { ...data, port: port2, unread: this.#unread.buffer }
    this.#worker = new Worker(entry, {
      name,
      workerData,
      transferList: [port2],
      // Flags of the program (loaders, inspectors) are not for this thread.
      execArgv: [],
      trackUnmanagedFds: false,
    })
    port1.on('message', (report: Report | ReadyReport) => {
      if (isReady(report)) this.#ready(report.wakeFd)
      else events.report(report)
    })
    this.#worker.on('error', (error: Error) => events.fault(error))
    this.#worker.once('exit', () => this.#exited(events))
    this.#worker.unref()
    port1.unref()
  }

  get age(): number {
    return performance.now() - this.#startedAt
  }

  get ended(): boolean {
    return this.#ended
  }

  post(message: Message | StopMessage): void {
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

  #exited(events: LoopThreadEvents<Report>): void {
    this.#ended = true
    // One that ended at once may have told its descriptor without our having read it.
    const last = receiveMessageOnPort(this.#port)?.message as { is: string } | undefined
    if (last !== undefined && isReady(last)) this.#wakeFd = last.wakeFd
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

const isReady = (report: { is: string }): report is ReadyReport => report.is === 'ready'
