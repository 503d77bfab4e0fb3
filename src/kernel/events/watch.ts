import { isMainThread } from 'node:worker_threads'
import { CnmError } from '../../contracts/errors.js'
import type { Place } from '../../contracts/kernel-objects.js'
import { asCnmError } from '../errors.js'
import type { KernelEvent } from './event.js'
import { eventSources, type WatchGroup } from './groups.js'
import { EventSource } from './source.js'
import type { EventThread } from './event-thread.js'

export interface WatchOptions {
  groups: readonly WatchGroup[]
  /** `host`: the namespace that the program started in. `all`: also those that {@link KernelWatch.follow} names. Default `host`. */
  namespaces?: 'host' | 'all'
  /**
   * Of the news of one link that are reported together, only the first and the last: what it is now, not how it came to be
   * so. Default false.
   */
  latest?: boolean
  /** Ends the watch. */
  signal?: AbortSignal
  /** Memory for events that have not been read yet, of each protocol. Default 16 MiB, some 10,000 link events. */
  bufferBytes?: number
}

const DEFAULT_BUFFER = 16 * 1024 * 1024

/** Events of the kernel. Never keeps the program running. */
export class KernelWatch implements Disposable {
  #sources: EventSource[] = []
  #closed = false
  /**
   * The native socket must be closed before the process winds up: an event that arrives later would be handed to code
   * that may not run any more, which ends in an abort.
   */
  #close = (): void => this.close()

  private constructor(
    private readonly thread: EventThread,
    private readonly signal: AbortSignal | undefined,
  ) {
    process.once('exit', this.#close)
    signal?.addEventListener('abort', this.#close)
  }

  /**
   * Begins to watch: what happens after the promise is fulfilled is reported, in order, in batches.
   * @throws CnmError ERR_CNM_INVALID_ARGUMENT, ERR_CNM_ABORTED, ERR_CNM_NOT_PERMITTED, and ERR_CNM_NOT_SUPPORTED in a
   *   worker: the native socket would end the process when the worker is terminated
   */
  static async open(thread: EventThread, options: WatchOptions, listener: (events: KernelEvent[]) => void): Promise<KernelWatch> {
    if (!isMainThread) throw new CnmError('ERR_CNM_NOT_SUPPORTED', 'watch: only the main thread of a program can watch the kernel')
    const allNamespaces = options.namespaces === 'all'
    const requests = eventSources(options.groups, allNamespaces)
    const watch = new KernelWatch(thread, options.signal)
    try {
      if (options.signal?.aborted === true) watch.close()
      for (const request of requests) {
        const source = new EventSource(thread, listener)
        watch.#sources.push(source)
        if (watch.#closed) break
        await source.open({
          ...request,
          allNamespaces,
          bufferBytes: options.bufferBytes ?? DEFAULT_BUFFER,
          latest: options.latest ?? false,
        })
      }
      if (watch.#closed) throw new CnmError('ERR_CNM_ABORTED', 'watch: aborted', { cause: options.signal?.reason })
      return watch
    } catch (error) {
      watch.close()
      throw asCnmError(error, 'watch')
    }
  }

  /** With `namespaces: 'all'`: report events of this namespace too, as happening at `at`. Until {@link unfollow}, or until it is gone. */
  async follow(at: Place): Promise<void> {
    if (this.#closed) throw new CnmError('ERR_CNM_CLOSED', 'this watch is closed')
    await this.thread.followNamespace(at)
  }

  async unfollow(at: Place): Promise<void> {
    if (!this.#closed) await this.thread.unfollowNamespace(at)
  }

  close(): void {
    this.#closed = true
    process.removeListener('exit', this.#close)
    this.signal?.removeEventListener('abort', this.#close)
    for (const source of this.#sources) source.close()
    this.#sources = []
  }

  [Symbol.dispose](): void {
    this.close()
  }
}
