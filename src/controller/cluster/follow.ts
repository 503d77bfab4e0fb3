import { CnmError } from '../../contracts/errors.js'
import type { ClusterStore, StoreEntry } from '../../contracts/store.js'

const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 5_000

export interface Follower {
  put(entry: StoreEntry): void
  deleted(key: string): void
  /** After everything of one commit, and once after what was there at the start. */
  applied?(): void
  failed(error: unknown): void
}

/**
 * Tells what is under a prefix, and then what changes, until the signal aborts. Resolves when what was there at the start
 * has been told; while the store cannot be reached, that waits.
 */
export function follow(store: ClusterStore, prefix: string, signal: AbortSignal, follower: Follower): Promise<void> {
  const events = store.follow(prefix, signal)
  return new Promise((resolve, reject) => {
    const tell = async (): Promise<void> => {
      for await (const { put, deleted } of events) {
        for (const key of deleted) attempt(follower, () => follower.deleted(key))
        for (const entry of put) attempt(follower, () => follower.put(entry))
        follower.applied?.()
        resolve()
      }
    }
    tell().then(resolve, (error: unknown) => {
      follower.failed(error)
      reject(error instanceof Error ? error : new Error(String(error)))
    })
  })
}

/** One record that cannot be read does not keep the others from being told. */
function attempt(follower: Follower, tell: () => void): void {
  try {
    tell()
  } catch (error) {
    follower.failed(error)
  }
}

/** Tries until the store can be reached; undefined when the signal aborts before. */
export async function whenReachable<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
  for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      return await work()
    } catch (error) {
      if (signal.aborted) return undefined
      if (!isUnreachable(error)) throw error
      await new Promise<void>((resolve) => {
        const timer = setTimeout(done, pause)
        timer.unref()
        signal.addEventListener('abort', done, { once: true })
        function done(): void {
          clearTimeout(timer)
          signal.removeEventListener('abort', done)
          resolve()
        }
      })
    }
  }
  return undefined
}

export const isUnreachable = (error: unknown): boolean => error instanceof CnmError && error.code === 'ERR_CNM_CLUSTER_UNREACHABLE'
export const isConflict = (error: unknown): error is CnmError => error instanceof CnmError && error.code === 'ERR_CNM_STORE_CONFLICT'
