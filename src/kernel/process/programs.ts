import type { ExitReport, SpawnResult, SpawnSpec } from './messages.js'

/** A program that was started inside a sandbox. */
export interface RunningProgram {
  spec: SpawnSpec
  result: SpawnResult
  exit: Promise<ExitReport>
  /** Whether the program keeps this process running until it exits. Default true. */
  keepAlive(wanted: boolean): void
}

/** The programs whose exit somebody waits for. */
export class Programs {
  readonly #waiting = new Map<number, (report: ExitReport) => void>()
  readonly #holding = new Set<number>()

  /** Whether one of them should keep this process running. */
  get hold(): boolean {
    return this.#holding.size > 0
  }
  expect(id: number): Promise<ExitReport> {
    this.#holding.add(id)
    return new Promise((resolve) => this.#waiting.set(id, resolve))
  }
  keepAlive(id: number, wanted: boolean): void {
    if (wanted && this.#waiting.has(id)) this.#holding.add(id)
    else this.#holding.delete(id)
  }
  forget(id: number): void {
    this.#waiting.delete(id)
    this.#holding.delete(id)
  }
  exited(report: ExitReport): void {
    this.#waiting.get(report.id)?.(report)
    this.forget(report.id)
  }
}
