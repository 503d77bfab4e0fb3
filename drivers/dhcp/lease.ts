import { CnmError, type Lease, type LeaseContext } from '../../src/contracts/index.js'
import type { DhcpClient } from './client.js'
import { leaseOf, termsFrom, type Terms } from './terms.js'
import { wait } from './wait.js'

/** Milliseconds between attempts to get an address after one was lost. */
const RETRY = 10_000

/** What a lease needs of {@link DhcpClient}. */
export type Exchanges = Pick<DhcpClient, 'obtain' | 'confirm' | 'extend' | 'holds'>

/** One lease, from its acquisition to the end of its signal. */
export class LiveLease {
  readonly #client: Exchanges
  readonly #given: Lease
  readonly #context: LeaseContext

  constructor(client: Exchanges, given: Lease, context: LeaseContext) {
    this.#client = client
    this.#given = given
    this.#context = context
  }

  /** Gets an address (the one of before, if there was one) and keeps it renewed from then on. */
  async acquire(): Promise<Lease> {
    const before = termsFrom(this.#given)
    try {
      const again = before === undefined ? undefined : await this.#again(before)
      const terms = again ?? (await this.#client.obtain(this.#wanted(), this.#context.signal))
      this.#inBackground(() => this.#keep(terms))
      return leaseOf(terms, this.#given)
    } catch (error) {
      // A join that fails ends the signal; an endpoint that was joined before goes on, and may get an address later.
      this.#inBackground(() => this.#later())
      throw error
    }
  }

  /** Everything that can fail in it is tried again, until the signal ends it. */
  #inBackground(work: () => Promise<void>): void {
    work().catch(() => undefined)
  }

  async #later(): Promise<void> {
    await wait(RETRY, this.#context.signal)
    await this.#adopt(await this.#obtained(this.#wanted()))
  }

  /** Tells of terms that came by themselves, and keeps them. */
  async #adopt(terms: Terms | undefined): Promise<void> {
    if (terms === undefined) return
    this.#context.changed(leaseOf(terms, this.#given))
    await this.#keep(terms)
  }

  #wanted(): string | undefined {
    return this.#given.address.split('/')[0] || undefined
  }

  /** The address of before: confirmed, or still in use by the interface while no server answers. */
  async #again(before: Terms): Promise<Terms | undefined> {
    const outcome = await this.#client.confirm(before.address, this.#context.signal)
    if (outcome === 'refused') return undefined
    if (outcome !== undefined) return outcome
    const unexpired = before.expires === undefined || before.expires > performance.now()
    return unexpired && (await this.#client.holds(before.address)) ? before : undefined
  }

  /** BOUND, RENEWING, REBINDING, and from the beginning when the lease is lost. Ends with the signal. */
  async #keep(terms: Terms): Promise<void> {
    if (terms.renew === undefined) return
    const { signal, changed } = this.#context
    await wait(terms.renew - performance.now(), signal)
    if (signal.aborted) return
    const extended = await this.#extended(terms)
    if (extended === undefined) changed(undefined)
    return this.#adopt(extended ?? (await this.#obtained(this.#wanted() ?? terms.address)))
  }

  /** More time, or other terms; `undefined` when the lease is lost. */
  async #extended(terms: Terms): Promise<Terms | undefined> {
    const { signal } = this.#context
    for (const [ask, end] of [
      ['server', terms.rebind],
      ['anybody', terms.expires],
    ] as const) {
      const time = (end ?? 0) - performance.now()
      if (time <= 0) continue
      const outcome = await this.#attempt(() => this.#client.extend(terms, ask, time, signal), time)
      if (outcome === 'refused') return undefined
      if (outcome !== undefined) return outcome
    }
    return undefined
  }

  /** An address, however long it takes. */
  async #obtained(wanted: string | undefined): Promise<Terms | undefined> {
    const { signal } = this.#context
    while (!signal.aborted) {
      const terms = await this.#attempt(() => this.#client.obtain(wanted, signal), RETRY)
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
