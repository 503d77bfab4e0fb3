import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** floor.c, compiled and running. */
export class Floor implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #answers: Interface

  constructor(bridge: string, folder: string) {
    const program = join(folder, 'floor')
    execFileSync('cc', ['-O2', '-o', program, fileURLToPath(new URL('floor.c', import.meta.url))])
    this.#child = spawn(program, [bridge], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#answers = createInterface(this.#child.stdout!)
  }

  /** @returns milliseconds, measured inside the program */
  async do(command: 'attach' | 'plain' | 'drop'): Promise<number> {
    const answer = once(this.#answers, 'line') as Promise<[string]>
    this.#child.stdin!.write(`${command}\n`)
    return Number((await answer)[0]) / 1000
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end()
    await once(this.#child, 'exit')
  }
}
