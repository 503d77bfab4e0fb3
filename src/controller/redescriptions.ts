import type { Core } from './core.js'
import { redescribeEndpoint, redescribeNetwork, redescribeParts } from './redescribe.js'

/** What is out of date of one object: all of it, or parts of a network. */
interface Stale {
  all: boolean
  parts: Set<string>
}

interface Retry {
  /** Set while the time for the next try has not come. */
  timer: NodeJS.Timeout | undefined
  delay: number
  /** What the user was told last. */
  told: string
}

const FIRST_RETRY_MS = 200
const LONGEST_RETRY_MS = 30_000

/**
 * Objects whose descriptions are out of date, because a driver said so or the host has changed. What comes while one is
 * being described is done afterwards, once. What fails is told, and tried again.
 */
export class Redescriptions {
  readonly #core: Core
  readonly #stale = new Map<string, Stale>()
  readonly #running = new Map<string, Promise<void>>()
  readonly #retries = new Map<string, Retry>()
  #begun = false
  #closed = false

  constructor(core: Core) {
    this.#core = core
  }

  /** A network, an endpoint, or one part of a network is out of date. */
  changed(id: string, part?: string): void {
    if (this.#closed) return
    const stale = this.#stale.get(id) ?? { all: false, parts: new Set<string>() }
    if (part === undefined) stale.all = true
    else stale.parts.add(part)
    this.#stale.set(id, stale)
    this.#start(id)
  }

  /** From now on descriptions can be applied; until then they wait. */
  begin(): void {
    this.#begun = true
    for (const id of this.#stale.keys()) this.#start(id)
  }

  /** Ends what is under way, and forgets the rest: the next start asks for everything. */
  async close(): Promise<void> {
    this.#closed = true
    this.#stale.clear()
    for (const { timer } of this.#retries.values()) clearTimeout(timer)
    this.#retries.clear()
    await Promise.all(this.#running.values())
  }

  #start(id: string): void {
    if (!this.#begun || this.#running.has(id)) return
    // In a moment, so that everything that a driver says in one go is one change.
    const running = Promise.resolve()
      .then(() => this.#catchUp(id))
      .finally(() => {
        this.#running.delete(id)
        if (this.#stale.has(id) && this.#retries.get(id)?.timer === undefined) this.#start(id)
      })
    this.#running.set(id, running)
  }

  async #catchUp(id: string): Promise<void> {
    for (let stale; !this.#closed && (stale = this.#stale.get(id)) !== undefined;) {
      this.#stale.delete(id)
      try {
        await this.#describe(id, stale)
        clearTimeout(this.#retries.get(id)?.timer)
        this.#retries.delete(id)
      } catch (error) {
        if (!this.#closed) this.#tryAgain(id, stale, error)
        return
      }
    }
  }

  async #describe(id: string, { all, parts }: Stale): Promise<void> {
    const core = this.#core
    const endpoint = core.endpoints.get(id)
    if (endpoint !== undefined) await redescribeEndpoint(endpoint)
    else if (!all) await redescribeParts(core, id, parts)
    else {
      await redescribeNetwork(core, id)
      // Those that are made from now on are described with what the network knows now.
      for (const member of core.networks.find(id)?.endpoints ?? []) if (!this.#closed) await redescribeEndpoint(member)
    }
  }

  #tryAgain(id: string, failed: Stale, error: unknown): void {
    const stale = this.#stale.get(id)
    this.#stale.set(id, { all: failed.all || stale?.all === true, parts: new Set([...failed.parts, ...(stale?.parts ?? [])]) })
    const before = this.#retries.get(id)
    clearTimeout(before?.timer)
    const delay = before === undefined ? FIRST_RETRY_MS : Math.min(before.delay * 2, LONGEST_RETRY_MS)
    const told = error instanceof Error ? error.message : String(error)
    const retry: Retry = { timer: undefined, delay, told }
    retry.timer = setTimeout(() => {
      retry.timer = undefined
      this.#start(id)
    }, delay).unref()
    this.#retries.set(id, retry)
    if (told === before?.told) return
    const object = this.#core.endpoints.get(id) ?? this.#core.networks.find(id)
    const message = `${object?.record.kind ?? 'object'} ${object?.name ?? id}: its new description is not applied: ${told}`
    this.#core.events.emit('warning', { message, about: id })
  }
}
