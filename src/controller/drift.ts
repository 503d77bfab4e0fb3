import type { Place } from '../contracts/kernel-objects.js'
import { compare, type Deviation } from '../engine/check.js'
import { identity, type Identity } from '../engine/identity.js'
import { isLostState } from '../engine/observe-deviations.js'
import { Suspicions, type News, type Scope } from '../engine/suspicions.js'
import type { Core } from './core.js'
import { loseNamespace } from './lost-namespaces.js'
import { serveAgain } from './serve-again.js'
import { placesOf, settleByOwner, settleWhole } from './settle-deviations.js'

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
/** What the kernel goes on refusing is tried again at ever longer intervals, and when something happens to the host's links. */
const FIRST_RETRY_MS = 1_000

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
  /** What could not be put back, and whether somebody else's link is in the way. It does not hold up the rest. */
  readonly #stuck = new Map<Identity, { foreign: boolean }>()
  readonly #stuckAt = new Set<Place>()
  #retry: NodeJS.Timeout | undefined
  #retryDelay = 0
  #retried = 0

  constructor(core: Core) {
    this.#core = core
    this.#suspicions = new Suspicions(core.engine)
  }

  take(news: readonly News[]): void {
    if (this.#stuck.size > 0 && news.some((each) => this.#mayHelp(each))) this.#retryStuck(FIRST_RETRY_MS)
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

  /** Deviations that were found by other means: what is about them is looked at too. */
  found(deviations: readonly Deviation[]): void {
    for (const { object, wanted } of deviations) if ('at' in wanted && !this.#stuck.has(object)) this.suspect(wanted.at, ['others'])
  }

  /** From now on repairs are made; what was heard before is looked at first. */
  begin(): void {
    this.#begun = true
    this.#schedule()
  }
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#retry)
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
      const possible = still.filter(({ object }) => !this.#stuck.has(object))
      const isRepaired = await this.#repair(await this.#withoutLost(possible, gone))
      if (isRepaired && this.#stuck.size === 0) this.#settled()
    } catch (error) {
      this.#failed([error], only.keys())
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

  /** Returns whether all could be put back. */
  async #repair(deviations: readonly Deviation[]): Promise<boolean> {
    const { engine, events } = this.#core
    const still = deviations.filter(({ object }) => engine.wanted.has(object))
    if (still.length === 0) return true
    const failed = await this.#settle(still)
    for (const { wanted } of still)
      if (wanted.kind === 'namespace' && !failed.has(identity(wanted))) await serveAgain(this.#core, wanted.at)
    const repaired = still.filter((deviation) => !failed.has(deviation.object) && !isLostState(deviation))
    if (repaired.length > 0) {
      this.#slowDown()
      events.emit('repair', { repaired })
    }
    if (still.some(isLostState)) this.#core.cluster?.encryption.lost()
    return failed.size === 0
  }

  #settled(): void {
    this.#failures = 0
    this.#retryDelay = 0
    this.#core.troubles.clear('drift')
  }

  /**
   * All at once. What changes while it is repaired makes that fail: then it is looked again. Where the kernel goes on
   * refusing, what can be put back is, owner by owner. Returns what could not be.
   */
  async #settle(deviations: readonly Deviation[]): Promise<Set<Identity>> {
    const { engine } = this.#core
    const unsettled = this.#failures < AS_A_WHOLE ? await settleWhole(engine, deviations) : await settleByOwner(engine, deviations)
    const failed = unsettled.flatMap((each) => each.deviations)
    if (failed.length > 0)
      this.#failed(
        unsettled.map(({ error }) => error),
        placesOf(failed),
        failed,
      )
    return new Set(failed.map(({ object }) => object))
  }

  #slowDown(): void {
    const now = performance.now()
    const soon = this.#repaired > 0 && now - this.#repaired < this.#quarrel + QUARREL_MS
    this.#repaired = now
    this.#quarrel = soon ? Math.min(Math.max(this.#quarrel, TOGETHER_MS) * 2, LONGEST_MS) : 0
  }

  /** It is looked there again, and tried again. */
  #failed(errors: readonly unknown[], places: Iterable<Place>, deviations: readonly Deviation[] = []): void {
    if (this.#closed) return
    // What has changed meanwhile is no failure to speak of.
    if (++this.#failures < AS_A_WHOLE) {
      for (const place of places) this.#suspicions.suspect(place)
      return
    }
    for (const { object, problem } of deviations) this.#stuck.set(object, { foreign: problem === 'foreign' })
    for (const place of places) this.#stuckAt.add(place)
    this.#retryDelay = Math.min(Math.max(this.#retryDelay * 2, FIRST_RETRY_MS), LONGEST_MS)
    this.#retryStuck(this.#retryDelay)
    const words = new Set(errors.map((error) => (error instanceof Error ? error.message : String(error))))
    const reason = `could not put back what was changed in the kernel: ${[...words].join('; ')}`
    const { troubles, events } = this.#core
    if (!troubles.reasons().includes(reason)) events.emit('warning', { message: reason })
    troubles.set('drift', reason)
  }

  /** A link of somebody else's makes room, or one that networks are on comes. */
  #mayHelp(news: News): boolean {
    if (news.kind !== 'link' || !('action' in news) || news.link === undefined) return false
    if (news.action === 'removed') return this.#stuck.get(`${news.at} link ${news.link}`)?.foreign === true
    if (news.at !== 'host' || this.#core.engine.wanted.has(`host link ${news.link}`)) return false
    const [concerned] = this.#core.hostLinks.concerned(news.link)
    return concerned !== undefined
  }

  /** @param pause milliseconds since the last try */
  #retryStuck(pause: number): void {
    clearTimeout(this.#retry)
    const wait = Math.max(0, this.#retried + pause - performance.now())
    this.#retry = setTimeout(() => {
      this.#retried = performance.now()
      for (const place of this.#stuckAt) this.#suspicions.suspect(place)
      this.#stuckAt.clear()
      this.#stuck.clear()
      this.#schedule()
    }, wait).unref()
  }
}
