/**
 * What must be given back when an operation fails half-way: every acquire pushes its undo before the next acquire.
 */
export class Undo {
  #steps: (() => Promise<unknown> | unknown)[] = []

  push(step: () => Promise<unknown> | unknown): void {
    this.#steps.push(step)
  }
  /** The operation succeeded: keep everything. */
  commit(): void {
    this.#steps = []
  }
  /** Gives everything back, last first; goes on after a failure. Returns what failed. */
  async run(): Promise<unknown[]> {
    const failures: unknown[] = []
    for (const step of this.#steps.reverse()) {
      try {
        await step()
      } catch (error) {
        failures.push(error)
      }
    }
    this.#steps = []
    return failures
  }
}

/** Runs `work`; if it fails, what it acquired is given back, and failures of that are attached to its error. */
export async function undoable<T>(work: (undo: Undo) => Promise<T>): Promise<T> {
  const undo = new Undo()
  try {
    const result = await work(undo)
    undo.commit()
    return result
  } catch (error) {
    const failures = await undo.run()
    if (failures.length === 0) throw error
    throw new AggregateError([error, ...failures], error instanceof Error ? error.message : String(error), { cause: error })
  }
}
