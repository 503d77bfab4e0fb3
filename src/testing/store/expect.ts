import assert from 'node:assert/strict'
import { CnmError } from '../../contracts/errors.js'
import type { Store, StoreEvent } from '../../contracts/store.js'

/** Defines a test that gets an empty store, which is closed after it. */
export type Using = (name: string, body: (store: Store) => Promise<void>) => void

export async function take(events: AsyncIterable<StoreEvent>, count: number): Promise<StoreEvent[]> {
  const taken: StoreEvent[] = []
  for await (const event of events) {
    taken.push(event)
    if (taken.length === count) break
  }
  return taken
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
