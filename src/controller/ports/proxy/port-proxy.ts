import { Worker } from 'node:worker_threads'
import { CnmError } from '../../../contracts/errors.js'
import type { Kernel } from '../../../kernel/index.js'
import type { ProxyMessage, ProxyReply, ProxyTarget } from './messages.js'

/** A port that the proxy serves: the socket that reserves it, by which it is known, and where it leads. */
export interface ProxiedPort {
  reservation: number
  target: ProxyTarget
}

type Request = ProxyMessage extends infer M ? (M extends ProxyMessage ? Omit<M, 'ticket'> : never) : never

interface Waiting {
  resolve: () => void
  reject: (error: Error) => void
}

/** A thread that dies is replaced after so many milliseconds. */
const RESTART_MS = 200

/**
 * Hands on what comes to ports that no rule can lead to their endpoint, on a thread of its own that runs from the first
 * such port on. The thread has copies of the sockets: what reserves a port outlives it.
 */
export class PortProxy {
  readonly #kernel: Pick<Kernel, 'duplicatePorts'>
  readonly #served = new Map<number, ProxyTarget>()
  readonly #waiting = new Map<number, Waiting>()
  #worker: Worker | undefined
  #restart: NodeJS.Timeout | undefined
  #tickets = 0

  constructor(kernel: Pick<Kernel, 'duplicatePorts'>) {
    this.#kernel = kernel
  }

  async serve(ports: readonly ProxiedPort[]): Promise<void> {
    const added = ports.filter(({ reservation }) => !this.#served.has(reservation))
    for (const { reservation, target } of added) this.#served.set(reservation, target)
    await this.#serve(added)
  }

  /** Their connections end. To be called before the reservations are given up. */
  async end(reservations: readonly number[]): Promise<void> {
    const ids = reservations.filter((each) => this.#served.delete(each))
    if (ids.length === 0) return
    if (this.#served.size > 0) return this.#ask({ do: 'end', ids })
    await this.#stop()
  }

  async #serve(ports: readonly ProxiedPort[]): Promise<void> {
    if (ports.length === 0) return
    const copies = await this.#kernel.duplicatePorts(ports.map(({ reservation }) => reservation))
    await this.#ask({ do: 'serve', ports: ports.map(({ reservation: id, target }, index) => ({ id, fd: copies[index]!, target })) })
  }

  #ask(request: Request): Promise<void> {
    const worker = (this.#worker ??= this.#start())
    const ticket = ++this.#tickets
    return new Promise((resolve, reject) => {
      this.#waiting.set(ticket, { resolve, reject })
      worker.ref()
      worker.postMessage({ ...request, ticket })
    })
  }

  #start(): Worker {
    // The thread's file lies beside this one in either build.
    const entry = import.meta.url.endsWith('.cjs') ? './proxy-thread.cjs' : './proxy-thread.js'
    const worker = new Worker(new URL(entry, import.meta.url), { name: 'libcnm-proxy', execArgv: [], trackUnmanagedFds: false })
    worker.on('message', (reply: ProxyReply) => this.#settle(reply))
    worker.on('error', () => undefined)
    worker.once('exit', () => this.#exited(worker))
    worker.unref()
    return worker
  }

  #settle({ ticket, error }: ProxyReply): void {
    const waiting = this.#waiting.get(ticket)
    this.#waiting.delete(ticket)
    if (this.#waiting.size === 0) this.#worker?.unref()
    if (error === undefined) waiting?.resolve()
    else waiting?.reject(new CnmError('ERR_CNM_KERNEL', `proxy of published ports: ${error}`))
  }

  /** What it held is closed; nobody waits for what it was told last. */
  #exited(worker: Worker): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#settleAll()
    const again = (): void =>
      void this.#serve([...this.#served].map(([reservation, target]) => ({ reservation, target }))).catch(() => undefined)
    this.#restart = setTimeout(again, RESTART_MS).unref()
  }

  /** The last port has gone: so does the thread, with its sockets. */
  async #stop(): Promise<void> {
    clearTimeout(this.#restart)
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
    this.#settleAll()
  }

  #settleAll(): void {
    for (const { resolve } of this.#waiting.values()) resolve()
    this.#waiting.clear()
  }
}
