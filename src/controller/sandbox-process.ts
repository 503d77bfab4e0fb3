import { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { Socket } from 'node:net'
import type { RunningProgram } from '../kernel/index.js'

/**
 * A program that runs inside a sandbox, as node:child_process shows one: the same properties, streams, events and
 * methods. It was started by the kernel thread, which tells of its exit.
 */
export class SandboxProcess extends ChildProcess {
  #ended = false
  readonly #program: RunningProgram

  /** @internal */
  constructor(program: RunningProgram) {
    super()
    this.#program = program
    const { spec, exit } = program
    const { pid, streams } = program.result
    const stdio = streams.map((fd, index) =>
      fd === null ? null : new Socket({ fd, readable: index !== 0, writable: index === 0 || index > 2 }),
    )
    const [stdin, stdout, stderr] = [stdio[0] ?? null, stdio[1] ?? null, stdio[2] ?? null]
    Object.assign(this, {
      pid,
      stdin,
      stdout,
      stderr,
      stdio,
      spawnfile: spec.command,
      spawnargs: [spec.options.argv0 ?? spec.command, ...spec.args],
    })
    process.nextTick(() => this.emit('spawn'))
    const closed = stdio
      .filter((stream) => stream !== null)
      .map(async (stream) => (stream.closed ? undefined : once(stream, 'close').catch(() => undefined)))
    void exit.then(async ({ code, signal }) => {
      this.#ended = true
      Object.assign(this, { exitCode: code, signalCode: signal })
      stdin?.destroy()
      this.emit('exit', code, signal)
      // What nobody reads would keep its stream open for ever.
      for (const stream of [stdout, stderr]) if (stream?.readableFlowing === null && stream.listenerCount('readable') === 0) stream.resume()
      await Promise.all(closed)
      this.emit('close', code, signal)
    })
  }

  override ref(): void {
    this.#program.keepAlive(true)
  }
  override unref(): void {
    this.#program.keepAlive(false)
  }

  /** Sends a signal; false when the program has ended. */
  override kill(signal: NodeJS.Signals | number = 'SIGTERM'): boolean {
    if (this.#ended || this.pid === undefined) return false
    try {
      process.kill(this.pid, signal)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
      throw error
    }
    Object.assign(this, { killed: true })
    return true
  }
}
