import type { Store } from '../contracts/store.js'
import { closing } from './store/closing.js'
import { conditions } from './store/conditions.js'
import { taker, type Using } from './store/expect.js'
import { reading } from './store/reading.js'
import { watching } from './store/watching.js'

export interface StoreConformanceOptions {
  /** Opens an empty store; called for each test. The suite closes it. */
  open(): Promise<Store>
  /** Opens again what `open` opened last and the suite has closed; absent for stores that forget. */
  reopen?(): Promise<Store>
  /** `describe` and `it` of the test runner: vitest, node:test, mocha and jest all fit. */
  describe(name: string, body: () => void): unknown
  it(name: string, body: () => Promise<void>): unknown
  /** Milliseconds to wait for an event of a watch. Default 5,000. */
  timeLimit?: number
}

/**
 * The suite that every {@link Store} must pass. It uses node:assert and the runner's `describe` and `it`, nothing else:
 *
 * ```ts
 * import { describe, it } from 'node:test'
 * import { storeConformance } from 'libcnm/testing'
 * storeConformance({ open: () => myStore(), describe, it })
 * ```
 */
export function storeConformance({ open, reopen, describe, it, timeLimit = 5000 }: StoreConformanceOptions): void {
  const take = taker(timeLimit)
  const using: Using = (name, body) => {
    it(name, async () => {
      const store = await open()
      try {
        await body(store)
      } finally {
        await store.close()
      }
    })
  }
  describe('store: reading and writing', () => reading(using))
  describe('store: conditional commits', () => conditions(using))
  describe('store: watching', () => watching(using, take))
  describe('store: closing', () => closing({ open, reopen, it, take }))
}
