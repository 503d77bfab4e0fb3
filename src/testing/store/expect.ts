import assert from 'node:assert/strict'
import { CnmError } from '../../contracts/errors.js'
import type { Store, StoreEvent } from '../../contracts/store.js'

/** Defines a test that gets an empty store, which is closed after it. */
export type Using = (name: string, body: (store: Store) => Promise<void>) => void

/** Takes events of a watch: so many, or all that there are until it ends. */
export type Take = (events: AsyncIterable<StoreEvent>, count: number) => Promise<StoreEvent[]>

/** @param timeLimit milliseconds to wait for each event */
export const taker =
  (timeLimit: number): Take =>
  async (events, count) => {
    const taken: StoreEvent[] = []
    const iterator = events[Symbol.asyncIterator]()
    while (taken.length < count) {
      const next = await inTime(iterator.next(), timeLimit)
      if (next.done === true) return taken
      taken.push(next.value)
    }
    await iterator.return?.()
    return taken
  }

async function inTime<T>(result: Promise<T>, timeLimit: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `neither an event nor the end of the watch in ${timeLimit} ms` })),
      timeLimit,
    )
  })
  try {
    return await Promise.race([result, late])
  } finally {
    clearTimeout(timer)
  }
}

export async function rejects(action: () => Promise<unknown>, code: string): Promise<CnmError> {
  let failure: unknown
  await assert.rejects(
    async () => action(),
    (error) => {
      failure = error
      return true
    },
  )
  assert.ok(failure instanceof CnmError, `not a CnmError: ${String(failure)}`)
  assert.equal(failure.code, code, failure.message)
  return failure
}

export function assertConflict(error: unknown, key: string): void {
  assert.ok(error instanceof CnmError, `not a CnmError: ${String(error)}`)
  assert.equal(error.code, 'ERR_CNM_STORE_CONFLICT')
  assert.equal(error.object, key)
}
