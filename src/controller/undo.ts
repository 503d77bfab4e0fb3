import { randomUUID } from 'node:crypto'
import type { Cleanups } from './cleanups.js'

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

  /** Gives back as {@link run} does, but stops at a failure: what comes after is not free before. Called again, it goes on there. */
  async runInOrder(): Promise<void> {
    for (let step; (step = this.#steps.at(-1)) !== undefined; this.#steps.pop()) await step()
  }
}

/** Where the rest of an undo goes that could not be finished. */
export interface Unfinished {
  cleanups: Cleanups
  /** For people: `network front`. */
  what: string
  keys: readonly string[]
}

/** Runs `work`; if it fails, what it acquired is given back, and failures of that are attached to its error. */
export async function undoable<T>(work: (undo: Undo) => Promise<T>): Promise<T> {
  return attempt(work, (undo) => undo.run())
}

/**
 * Likewise, but the undo stops at a failure, and the rest of it is done later, in order: a name or an address is not free
 * before the kernel is rid of it.
 */
export async function undoableOrLater<T>(unfinished: Unfinished, work: (undo: Undo) => Promise<T>): Promise<T> {
  return attempt(work, (undo) => undoOrLater(undo, unfinished))
}

async function attempt<T>(work: (undo: Undo) => Promise<T>, giveBack: (undo: Undo) => Promise<unknown[]>): Promise<T> {
  const undo = new Undo()
  try {
    const result = await work(undo)
    undo.commit()
    return result
  } catch (error) {
    const failures = await giveBack(undo)
    if (failures.length === 0) throw error
    throw new AggregateError([error, ...failures], error instanceof Error ? error.message : String(error), { cause: error })
  }
}

async function undoOrLater(undo: Undo, { cleanups, what, keys }: Unfinished): Promise<unknown[]> {
  try {
    await undo.runInOrder()
    return []
  } catch (failure) {
    cleanups.later({ about: `undo/${randomUUID()}`, what, keys, work: () => undo.runInOrder() }, failure)
    return [failure]
  }
}
