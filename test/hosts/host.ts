import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Controller, ControllerOptions } from 'libcnm'

const ownWorld = fileURLToPath(new URL('../own-world.cjs', import.meta.url))
const shiftedClock = new URL('shifted-clock.mjs', import.meta.url).href
const program = fileURLToPath(new URL('program.mjs', import.meta.url))

export interface HostSettings {
  endpoints: string[]
  node: NonNullable<ControllerOptions['node']>
  timeout?: number
  options?: Omit<ControllerOptions, 'cluster' | 'node'>
  /** Path of a module that exports a volume driver. */
  volumeDriver?: string
  /** Milliseconds that the host's clock is off. */
  clockOffset?: number
}

/** What a function that is sent to a host can use. */
export interface HostScope {
  readonly controller: Controller
  /** What the controller told since it was opened. */
  readonly events: { name: string; event: unknown }[]
  /** Milliseconds that it took to open. */
  readonly openedIn: number
  /** Runs a program on the host; its standard output. */
  shell(command: string, ...args: string[]): Promise<string>
}

/**
 * A host of a cluster: network and mount namespaces of its own, held by a process that does nothing else, and in them a
 * process with a controller, which can be killed and started again while the namespaces stay.
 */
export class Host implements AsyncDisposable {
  readonly name: string
  readonly #holder: ChildProcess
  #process: ChildProcess | undefined
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  #last = 0

  private constructor(name: string, holder: ChildProcess) {
    this.name = name
    this.#holder = holder
  }

  static async make(name: string): Promise<Host> {
    const { LIBCNM_TEST_WORLD: _outer, ...env } = process.env
    const body = 'process.stdout.write("r"); process.stdin.resume()'
    const holder = spawn(process.execPath, ['--require', ownWorld, '-e', body], { env, stdio: ['pipe', 'pipe', 'inherit'] })
    await once(holder.stdout, 'data')
    return new Host(name, holder)
  }

  get pid(): number {
    return this.#holder.pid!
  }

  /** Arguments of nsenter(1) for a program on this host. */
  get inside(): string[] {
    return ['-t', String(this.pid), '-n', '-m', '--']
  }

  /** Opens the controller. */
  async start({ clockOffset, ...settings }: HostSettings): Promise<void> {
    const clock = clockOffset === undefined ? [] : ['--import', shiftedClock]
    const child = spawn('nsenter', [...this.inside, process.execPath, ...clock, program, JSON.stringify(settings)], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      env: { ...process.env, LIBCNM_TEST_CLOCK_OFFSET: String(clockOffset ?? 0) },
    })
    this.#process = child
    let errors = ''
    child.stderr!.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    child.on(
      'message',
      (message: { ready?: true; id: number; value?: unknown; error?: { message: string; code?: string; stack?: string } }) => {
        const { id, value, error } = message
        const waiting = this.#waiting.get(id)
        this.#waiting.delete(id)
        if (error === undefined) waiting?.resolve(value)
        else waiting?.reject(Object.assign(new Error(`${this.name}: ${error.message}`), { code: error.code, cause: error.stack }))
      },
    )
    child.on('exit', () => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${this.name}: the process has ended: ${errors}`))
      this.#waiting.clear()
    })
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`${this.name}: the controller's process ended with ${String(code)}: ${errors}`)
    })
    ended.catch(() => undefined)
    await Promise.race([once(child, 'message'), ended])
  }

  /** Runs a function in the controller's process. It is sent as text: it can use its arguments and nothing else. */
  run<A extends unknown[], T>(work: (scope: HostScope, ...args: A) => Promise<T> | T, ...args: A): Promise<T> {
    const id = ++this.#last
    return new Promise<T>((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve, reject })
      this.#process!.send({ id, code: work.toString(), args })
    })
  }

  /** The controller dies without a word; its namespaces stay. */
  async kill(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }

  /** Closes the controller in order. */
  async close(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.send('close')
    await gone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    const gone = once(this.#holder, 'exit')
    this.#holder.kill('SIGKILL')
    await gone
  }
}
