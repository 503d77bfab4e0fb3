import type { KernelObjectKind, Place } from '../contracts/kernel-objects.js'
import { compare, type Deviation } from '../engine/check.js'
import type { Core } from './core.js'

const EVERY_MS = 1000
/** Objects of one look: 2 ms of the kernel thread. */
const AT_ONCE = 200
/** Every namespace is looked at as a whole in so many seconds… */
const ROUND_SECONDS = 20
/** …unless that were more than so many each second. A look takes about 1 ms of the kernel thread. */
const MOST_PLACES = 10

/**
 * What no event tells of, or an event that was lost. Parameters and IPsec, of which the kernel tells nobody who did not ask,
 * are read in turn, some each second: up to two hundred of them are so all read every second. Everything else comes less
 * often, except for the firewall, of whose changes no news is lost: the kernel counts them.
 */
export class SlowCheck {
  readonly #core: Core
  readonly #found: (deviations: readonly Deviation[]) => void
  readonly #suspect: (place: Place) => void
  #timer: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #closed = false
  #left: Place[] = []
  #round: Place[] = []
  #pace = 0
  #due = 0

  /**
   * @param found parameters that are not as they should be
   * @param suspect a namespace whose turn it is to be looked at
   */
  constructor(core: Core, found: (deviations: readonly Deviation[]) => void, suspect: (place: Place) => void) {
    this.#core = core
    this.#found = found
    this.#suspect = suspect
  }

  begin(): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => {
      this.#turn()
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
      this.#found(deviations.filter(({ object }) => !noted.changed.has(object)))
    } finally {
      noted.stop()
    }
  }

  #turn(): void {
    if (this.#round.length === 0) {
      this.#round = [...this.#core.engine.wanted.places()]
      this.#pace = Math.min(this.#round.length / ROUND_SECONDS, MOST_PLACES)
    }
    for (this.#due += this.#pace; this.#due >= 1; this.#due--) {
      const place = this.#round.pop()
      if (place !== undefined) this.#suspect(place)
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
      for (const id of wanted.at(place)) if (id.startsWith(`${place} sysctl `) || id.startsWith(`${place} xfrm-`)) count++
      chosen.set(place, isUntold)
    }
    return chosen
  }
}

const UNTOLD: ReadonlySet<string> = new Set<KernelObjectKind>(['sysctl', 'xfrm-state', 'xfrm-policy'])
const isUntold = ({ kind }: { kind: string }): boolean => UNTOLD.has(kind)
