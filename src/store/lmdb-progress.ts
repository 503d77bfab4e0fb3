import type { RootDatabase } from 'lmdb'

/** The part of lmdb's native environment that tells how far a batch of writes is. */
interface NativeEnvironment {
  startWriting(address: number, progress: (status: number) => unknown): unknown
}

/**
 * Calls `listener` whenever lmdb's write thread reports: when the page cache has a transaction and everybody can see it,
 * and again when it is flushed. lmdb's own promises know only the second, which comes 0.3-0.6 ms later. Where the first
 * report does not come (another release of lmdb), commits are only slower.
 */
export function onProgress(database: RootDatabase<Buffer, Buffer>, listener: () => void): void {
  const { env } = database as unknown as { env: NativeEnvironment }
  const start = env.startWriting.bind(env)
  Object.defineProperty(env, 'startWriting', {
    configurable: true,
    value: (address: number, progress: (status: number) => unknown) =>
      start(address, (status) => {
        const result = progress(status)
        listener()
        return result
      }),
  })
}
