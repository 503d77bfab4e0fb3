import type { Place, SysctlObject } from '../contracts/kernel-objects.js'
import { compare, type Deviation } from '../engine/check.js'
import type { Core } from './core.js'

const EVERY_MS = 1000
/** Parameters of one look: 2 ms of the kernel thread. */
const AT_ONCE = 200

/**
 * The kernel tells nobody when a parameter is changed: they are read in turn, some each second. Up to two hundred of them
 * are so all read every second.
 */
export class SlowCheck {
  readonly #core: Core
  readonly #found: (deviations: readonly Deviation[]) => Promise<void>
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #closed = false
  #left: Place[] = []

  constructor(core: Core, found: (deviations: readonly Deviation[]) => Promise<void>) {
    this.#core = core
    this.#found = found
  }

  begin(): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => {
      this.#looking = this.#look().catch(() => undefined)
      void this.#looking.then(() => this.begin())
    }, EVERY_MS).unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#looking
  }

  async #look(): Promise<void> {
    const { engine, kernel } = this.#core
    const noted = engine.noteChanges()
    try {
      const { deviations } = await compare(engine, kernel, { only: this.#next() })
      await this.#found(deviations.filter(({ object }) => !noted.changed.has(object)))
    } finally {
      noted.stop()
    }
  }

  /** Whole namespaces, until there are enough. */
  #next(): Map<Place, (object: { kind: string }) => boolean> {
    const { wanted } = this.#core.engine
    if (this.#left.length === 0) this.#left = [...wanted.places()]
    const chosen = new Map<Place, (object: { kind: string }) => boolean>()
    let count = 0
    while (count < AT_ONCE && this.#left.length > 0) {
      const place = this.#left.pop()!
      for (const id of wanted.at(place)) if (id.startsWith(`${place} sysctl `)) count++
      chosen.set(place, isSysctl)
    }
    return chosen
  }
}

const isSysctl = (object: { kind: string }): object is SysctlObject => object.kind === 'sysctl'
