import { closeSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import { CnmError } from '../contracts/errors.js'
import { ExitGuard } from './exit-guard.js'
import { EXITED, READY, type CallName, type Calls, type Reply, type Request, type ThreadOptions, type ThreadStart } from './protocol.js'
import { Programs, type RunningProgram } from './process/programs.js'
import type { ExitReport, SpawnSpec } from './process/messages.js'
import { fromWire } from './wire.js'

interface Pending {
  name: CallName
  resolve(result: unknown): void
  reject(error: Error): void
}

/**
 * The program's side of the kernel thread: sends requests and gives each its answer. The thread keeps the program alive
 * only while it owes an answer.
 */
export class ThreadHandle {
  #worker: Worker
  #pending = new Map<number, Pending>()
  #lastId = READY
  #closing: Promise<void> | undefined
  #death: CnmError | undefined
  #lastError: unknown
  readonly #programs = new Programs()

  readonly #guard: ExitGuard
  readonly #processEnds = (): void => this.#guard.stop()

  private constructor(worker: Worker, guard: ExitGuard) {
    this.#worker = worker
    this.#guard = guard
    // One listener per kernel is meant, however many there are.
    process.setMaxListeners(process.getMaxListeners() + 1)
    process.on('exit', this.#processEnds)
    worker.on('message', (message: string) => this.#receive(JSON.parse(message) as Reply))
    worker.on('error', (error) => (this.#lastError = error))
    worker.on('exit', (code) => this.#exited(code))
  }

  /** @throws CnmError ERR_CNM_THREAD_DIED with the reason as its cause */
  static async start(options: ThreadOptions): Promise<ThreadHandle> {
    // The thread's file lies beside this one in either build.
    const entry = import.meta.url.endsWith('.cjs') ? './kernel-thread.cjs' : './kernel-thread.js'
    const guard = new ExitGuard()
    const worker = new Worker(new URL(entry, import.meta.url), {
      name: 'libcnm-kernel',
      workerData: { options, guard: guard.buffer } satisfies ThreadStart,
      // Flags of the program (loaders, inspectors) are not for this thread; descriptors that it makes outlive it.
      execArgv: [],
      trackUnmanagedFds: false,
    })
    const handle = new ThreadHandle(worker, guard)
    await new Promise((resolve, reject) => handle.#expect(READY, { name: 'close', resolve, reject }))
    return handle
  }

  /** Starts a program; the thread is kept alive for the news of its exit. */
  async spawn(signal: AbortSignal | undefined, spec: Omit<SpawnSpec, 'id'>): Promise<RunningProgram> {
    const id = ++this.#lastId
    const exit = this.#programs.expect(id)
    const numbered = { ...spec, id }
    try {
      const result = await this.call(signal, 'spawn', numbered)
      const keepAlive = (wanted: boolean): void => {
        this.#programs.keepAlive(id, wanted)
        this.#holdIfNeeded()
      }
      return { spec: numbered, result, exit, keepAlive }
    } catch (error) {
      this.#programs.forget(id)
      throw error
    }
  }

  get closed(): boolean {
    return this.#closing !== undefined
  }

  /**
   * @param signal honoured until the thread begins with the call
   * @throws CnmError ERR_CNM_ABORTED, ERR_CNM_CLOSED, ERR_CNM_THREAD_DIED; what the call throws
   */
  async call<K extends CallName>(signal: AbortSignal | undefined, name: K, ...args: Parameters<Calls[K]>): Promise<ReturnType<Calls[K]>> {
    if (signal?.aborted) throw aborted(name, signal)
    if (this.#closing !== undefined) throw new CnmError('ERR_CNM_CLOSED', `${name}: the kernel thread is closed`)
    if (this.#death !== undefined) throw this.#death
    return this.#send(signal, name, args)
  }

  /** Lets what was asked before be answered, then ends the thread. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#death !== undefined) return
    const exited = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()))
    await this.#send(undefined, 'close', []).catch(() => undefined)
    this.#worker.ref()
    await exited
  }

  async #send<K extends CallName>(signal: AbortSignal | undefined, name: K, args: Parameters<Calls[K]>): Promise<ReturnType<Calls[K]>> {
    const id = ++this.#lastId
    const takeBack = (): void => this.#post([id])
    signal?.addEventListener('abort', takeBack)
    try {
      return await new Promise<ReturnType<Calls[K]>>((resolve, reject) => {
        this.#expect(id, { name, resolve: resolve, reject })
        this.#post([id, name, ...args] as unknown as Request)
      })
    } catch (error) {
      throw error instanceof CnmError && error.code === 'ERR_CNM_ABORTED' && signal !== undefined ? aborted(name, signal) : error
    } finally {
      signal?.removeEventListener('abort', takeBack)
    }
  }

  #post(request: Request): void {
    this.#worker.postMessage(JSON.stringify(request))
  }

  #expect(id: number, pending: Pending): void {
    if (this.#pending.size === 0) this.#worker.ref()
    this.#pending.set(id, pending)
  }

  #receive([id, result, error]: Reply): void {
    if (id === EXITED) {
      this.#programs.exited(result as ExitReport)
      return this.#holdIfNeeded()
    }
    const pending = this.#pending.get(id)
    if (pending === undefined) return closeUnclaimed(result)
    this.#pending.delete(id)
    this.#holdIfNeeded()
    if (error === undefined) pending.resolve(result)
    else pending.reject(fromWire(error))
  }

  /** The thread keeps the process running while it owes an answer, or the news that a program has ended. */
  #holdIfNeeded(): void {
    if (this.#pending.size > 0 || this.#programs.hold) this.#worker.ref()
    else this.#worker.unref()
  }

  #exited(code: number): void {
    process.off('exit', this.#processEnds)
    process.setMaxListeners(process.getMaxListeners() - 1)
    const cause = this.#lastError
    this.#death = new CnmError('ERR_CNM_THREAD_DIED', `the kernel thread ended (code ${code})`, cause === undefined ? {} : { cause })
    for (const pending of this.#pending.values()) pending.reject(this.#death)
    this.#pending.clear()
  }
}

/** A descriptor that nobody waits for would stay open for ever. */
function closeUnclaimed(result: unknown): void {
  if (typeof result === 'object' && result !== null && 'fd' in result && typeof result.fd === 'number') closeSync(result.fd)
}

function aborted(name: string, signal: AbortSignal): CnmError {
  return new CnmError('ERR_CNM_ABORTED', `${name}: aborted before it began`, { cause: signal.reason })
}
