import type { Core } from '../core.js'

/** How far a copy of a volume is. */
export interface VolumeProgress {
  /** Name of the volume that is read, or made by an import. */
  volume: string
  operation: 'export' | 'import' | 'clone' | 'snapshot'
  /** Files, folders and links done. */
  entries: number
  bytes: number
  /** The last one of this copy. */
  done: boolean
}

const INTERVAL_MS = 100

/** Tells of a copy at most so often that it costs nothing, and of its end. */
export class Progress {
  readonly #core: Core
  readonly #about: Pick<VolumeProgress, 'volume' | 'operation'>
  #last = { entries: 0, bytes: 0 }
  #told = 0

  constructor(core: Core, about: Pick<VolumeProgress, 'volume' | 'operation'>) {
    this.#core = core
    this.#about = about
  }
  readonly at = ({ entries, bytes }: { entries: number; bytes: number }): void => {
    this.#last = { entries, bytes }
    const now = performance.now()
    if (now - this.#told < INTERVAL_MS) return
    this.#told = now
    this.#tell(false)
  }
  end(): void {
    this.#tell(true)
  }
  #tell(done: boolean): void {
    this.#core.events.emit('volume:progress', { ...this.#about, ...this.#last, done })
  }
}
