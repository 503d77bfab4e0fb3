import type { Place } from '../contracts/kernel-objects.js'
import { compare, type Deviation } from '../engine/check.js'
import { identity, type Identity } from '../engine/identity.js'
import { observeDeviations } from '../engine/observe-deviations.js'
import { Suspicions, type News, type Scope } from '../engine/suspicions.js'
import type { Core } from './core.js'
import { loseNamespace } from './lost-namespaces.js'
import { serveAgain } from './serve-again.js'

/** What happens together is looked at together. */
const TOGETHER_MS = 50
/** Looking takes at most a tenth of the time, and begins within a second all the same. */
const SHARE = 9
const LATEST_MS = 800
/** Repairs that follow one another at once are a quarrel with somebody: each waits twice as long as the one before. */
const QUARREL_MS = 5_000
const LONGEST_MS = 30_000
/** So often it is tried as a whole. */
const AS_A_WHOLE = 3

/**
 * Puts back what somebody else changed in the kernel: hears what happens, looks where it may concern us, and repairs in
 * one transaction. Objects that nobody described are never looked at.
 */
export class Drift {
  readonly #core: Core
  readonly #suspicions: Suspicions
  #timer: NodeJS.Timeout | undefined
  #round: Promise<void> = Promise.resolve()
  #begun = false
  #closed = false
  #took = 0
  #repaired = 0
  #quarrel = 0
  #failures = 0

  constructor(core: Core) {
    this.#core = core
    this.#suspicions = new Suspicions(core.engine)
  }

  take(news: readonly News[]): void {
    if (this.#suspicions.note(news)) this.#schedule()
  }
  suspect(at: Place, scopes?: readonly Scope[]): void {
    this.#suspicions.suspect(at, scopes)
    this.#schedule()
  }
  suspectFailed(...operations: Parameters<Suspicions['suspectFailed']>): void {
    this.#suspicions.suspectFailed(...operations)
    this.#schedule()
  }

  /** Deviations that were found by other means. */
  async found(deviations: readonly Deviation[]): Promise<void> {
    if (deviations.length > 0 && !this.#closed) await this.#repair(deviations)
  }

  /** From now on repairs are made; what was heard before is looked at first. */
  begin(): void {
    this.#begun = true
    this.#schedule()
  }
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#round
  }

  #schedule(atLeast = 0): void {
    if (!this.#begun || this.#closed || this.#timer !== undefined) return
    const delay = Math.max(TOGETHER_MS, Math.min(this.#took * SHARE, LATEST_MS), this.#quarrel, atLeast)
    this.#timer = setTimeout(() => {
      this.#round = this.#look().finally(() => (this.#timer = undefined))
      void this.#round.then(() => this.#suspicions.note([]) && this.#schedule())
    }, delay).unref()
  }

  async #look(): Promise<void> {
    const only = this.#suspicions.take()
    if (only.size === 0) return
    const { engine, kernel } = this.#core
    const noted = engine.noteChanges()
    const begun = performance.now()
    try {
      const { deviations, gone } = await compare(engine, kernel, { only })
      this.#took = performance.now() - begun
      const meanwhile = deviations.filter(({ object }) => noted.changed.has(object))
      for (const { wanted } of meanwhile) if ('at' in wanted) this.#suspicions.suspect(wanted.at)
      const still = deviations.filter(({ object }) => !noted.changed.has(object))
      await this.#repair(await this.#withoutLost(still, gone))
    } catch (error) {
      this.#failed(error, only.keys())
    } finally {
      noted.stop()
    }
  }

  /** Somebody else's namespace that is gone is not made again. */
  async #withoutLost(deviations: readonly Deviation[], gone: readonly Place[]): Promise<readonly Deviation[]> {
    const lost = new Set<Place>()
    for (const sandbox of this.#core.sandboxes) {
      const { namespace, owned } = sandbox.record
      if (owned || !gone.includes(namespace)) continue
      lost.add(namespace)
      await loseNamespace(this.#core, sandbox)
    }
    return deviations.filter(({ wanted }) => !('at' in wanted && lost.has(wanted.at)))
  }

  async #repair(deviations: readonly Deviation[]): Promise<void> {
    const { engine, events, troubles } = this.#core
    const still = deviations.filter(({ object }) => engine.wanted.has(object))
    if (still.length === 0) return
    this.#slowDown()
    const failed = await this.#settle(still)
    for (const { wanted } of still)
      if (wanted.kind === 'namespace' && !failed.has(identity(wanted))) await serveAgain(this.#core, wanted.at)
    const repaired = still.filter(({ object }) => !failed.has(object))
    if (repaired.length > 0) events.emit('repair', { repaired })
    if (failed.size > 0) return
    this.#failures = 0
    troubles.clear('drift')
  }

  /**
   * All at once. What changes while it is repaired makes that fail: then it is looked again. Where the kernel goes on
   * refusing, what can be put back is, owner by owner. Returns what could not be.
   */
  async #settle(deviations: readonly Deviation[]): Promise<Set<Identity>> {
    const failed = new Set<Identity>()
    const groups = this.#failures < AS_A_WHOLE ? [deviations] : byOwner(deviations)
    for (const group of groups) {
      try {
        await this.#core.engine.settle(observeDeviations(this.#core.engine, group))
      } catch (error) {
        this.#failed(error, placesOf(group))
        for (const { object } of group) failed.add(object)
      }
    }
    return failed
  }

  #slowDown(): void {
    const now = performance.now()
    const soon = this.#repaired > 0 && now - this.#repaired < this.#quarrel + QUARREL_MS
    this.#repaired = now
    this.#quarrel = soon ? Math.min(Math.max(this.#quarrel, TOGETHER_MS) * 2, LONGEST_MS) : 0
  }

  /** It is looked there again, and tried again. */
  #failed(error: unknown, places: Iterable<Place>): void {
    if (this.#closed) return
    for (const place of places) this.#suspicions.suspect(place)
    // What has changed meanwhile is no failure to speak of.
    if (++this.#failures < AS_A_WHOLE) return
    const reason = `could not put back what was changed in the kernel: ${error instanceof Error ? error.message : String(error)}`
    const { troubles, events } = this.#core
    if (!troubles.reasons().includes(reason)) events.emit('warning', { message: reason })
    troubles.set('drift', reason)
  }
}

/** Networks, then sandboxes, then endpoints: each needs what comes before. */
function byOwner(deviations: readonly Deviation[]): Deviation[][] {
  const groups = new Map<string, Deviation[]>()
  for (const deviation of deviations) {
    const owner = deviation.owners[0]!
    groups.set(owner, [...(groups.get(owner) ?? []), deviation])
  }
  const rank = (owner: string): number => ['network', 'sandbox', 'endpoint'].indexOf(owner.split('/')[0]!)
  return [...groups].sort(([a], [b]) => rank(a) - rank(b)).map(([, group]) => group)
}

const placesOf = (deviations: readonly Deviation[]): Place[] => deviations.flatMap(({ wanted }) => ('at' in wanted ? [wanted.at] : []))
