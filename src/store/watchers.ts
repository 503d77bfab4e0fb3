import type { JsonValue, StoreEvent } from '../contracts/store.js'
import type { CheckedChange } from './changes.js'

interface Watcher {
  prefix: string
  queue: StoreEvent[]
  wake: (() => void) | undefined
  ended: boolean
}

/** Hands commits to those who watch. */
export class Watchers {
  readonly #watchers = new Set<Watcher>()

  watch(prefix: string, signal: AbortSignal): AsyncIterable<StoreEvent> {
    const watcher: Watcher = { prefix, queue: [], wake: undefined, ended: signal.aborted }
    const end = () => this.#end(watcher)
    if (!watcher.ended) {
      this.#watchers.add(watcher)
      signal.addEventListener('abort', end, { once: true })
    }
    return events(watcher, () => {
      signal.removeEventListener('abort', end)
      this.#end(watcher)
    })
  }

  /** Tells of a commit. */
  committed(version: number, changes: readonly CheckedChange[]): void {
    for (const watcher of this.#watchers) {
      const under = changes.filter(({ key, action }) => action !== 'check' && key.startsWith(watcher.prefix))
      if (under.length === 0) continue
      // Parsed for each watcher anew, so that none sees what another does to its copy.
      const put = under
        .filter(({ action }) => action === 'put')
        .map(({ key, text }) => ({ key, value: JSON.parse(text) as JsonValue, version }))
      watcher.queue.push({ version, put, deleted: under.filter(({ action }) => action === 'delete').map(({ key }) => key) })
      watcher.wake?.()
    }
  }

  /** Ends every watch, after what is queued has been read. */
  close(): void {
    for (const watcher of this.#watchers) this.#end(watcher)
  }

  #end(watcher: Watcher): void {
    this.#watchers.delete(watcher)
    watcher.ended = true
    watcher.wake?.()
  }
}

async function* events(watcher: Watcher, stop: () => void): AsyncGenerator<StoreEvent> {
  try {
    for (;;) {
      for (let event = watcher.queue.shift(); event !== undefined; event = watcher.queue.shift()) yield event
      if (watcher.ended) return
      await new Promise<void>((resolve) => (watcher.wake = resolve))
    }
  } finally {
    stop()
  }
}
