import { CnmError, type Lease, type LeaseContext } from '../../src/contracts/index.js'
import type { DhcpClient } from './client.js'
import { leaseOf, termsFrom, type Terms } from './terms.js'
import { wait } from './wait.js'

/** Milliseconds between attempts to get an address after one was lost. */
const RETRY = 10_000

/** One lease, from its acquisition to the end of its signal. */
export class LiveLease {
  readonly #client: DhcpClient
  readonly #given: Lease
  readonly #context: LeaseContext

  constructor(client: DhcpClient, given: Lease, context: LeaseContext) {
    this.#client = client
    this.#given = given
    this.#context = context
  }

  /** Gets an address (the one of before, if there was one) and keeps it renewed from then on. */
  async acquire(): Promise<Lease> {
    const { signal } = this.#context
    const before = termsFrom(this.#given)
    const terms = (before === undefined ? undefined : await this.#again(before)) ?? (await this.#client.obtain(this.#wanted(), signal))
    // Everything that can fail in it is tried again, until the signal ends it.
    this.#keep(terms).catch(() => undefined)
    return leaseOf(terms, this.#given)
  }

  #wanted(): string | undefined {
    return this.#given.address.split('/')[0] || undefined
  }

  /** The address of before: confirmed, or still in use by the interface while no server answers. */
  async #again(before: Terms): Promise<Terms | undefined> {
    const outcome = await this.#client.confirm(before.address, this.#context.signal)
    if (outcome === 'refused') return undefined
    if (outcome !== undefined) return outcome
    const unexpired = before.expires === undefined || before.expires > Date.now()
    return unexpired && (await this.#client.holds(before.address)) ? before : undefined
  }

  /** BOUND, RENEWING, REBINDING, and from the beginning when the lease is lost. Ends with the signal. */
  async #keep(first: Terms): Promise<void> {
    const { signal } = this.#context
    let terms = first
    while (terms.renew !== undefined && !signal.aborted) {
      await wait(terms.renew - Date.now(), signal)
      const next = (await this.#extended(terms)) ?? (await this.#replaced(terms))
      if (next === undefined) return
      terms = next
      this.#context.changed(leaseOf(terms, this.#given))
    }
  }

  /** More time, or other terms; `undefined` when the lease is lost. */
  async #extended(terms: Terms): Promise<Terms | undefined> {
    const { signal } = this.#context
    for (const [ask, end] of [
      ['server', terms.rebind],
      ['anybody', terms.expires],
    ] as const) {
      const time = (end ?? 0) - Date.now()
      if (time <= 0) continue
      const outcome = await this.#attempt(() => this.#client.extend(terms, ask, time, signal), time)
      if (outcome === 'refused') return undefined
      if (outcome !== undefined) return outcome
    }
    return undefined
  }

  /** The address is not to be used any more; another one, however long it takes. */
  async #replaced(lost: Terms): Promise<Terms | undefined> {
    const { signal } = this.#context
    this.#context.changed(undefined)
    while (!signal.aborted) {
      const terms = await this.#attempt(() => this.#client.obtain(this.#wanted() ?? lost.address, signal), RETRY)
      if (terms !== undefined) return terms
    }
    return undefined
  }

  /** What cannot be done now (no interface, no thread, no server) may be possible a little later. */
  async #attempt<T>(body: () => Promise<T | undefined>, longest: number): Promise<T | undefined> {
    const { signal } = this.#context
    try {
      return await body()
    } catch (error) {
      if (signal.aborted) throw error
      if (!(error instanceof CnmError)) await wait(Math.min(RETRY, longest), signal)
      return undefined
    }
  }
}
