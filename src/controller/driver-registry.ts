import { CnmError } from '../contracts/errors.js'

/** A driver, or a function that loads it when it is first needed. */
export type DriverSource<D extends { readonly name: string }> = D | { readonly name: string; load(): Promise<D> }

/** The drivers of one kind that one controller has, each wrapped once and started on first use. */
export class DriverRegistry<D extends { readonly name: string }, G extends { stop(): Promise<void> }> {
  readonly #what: string
  readonly #sources = new Map<string, DriverSource<D>>()
  readonly #started = new Map<string, Promise<G>>()
  readonly #start: (driver: D) => Promise<G>

  /** @param what `network driver`, for errors */
  constructor(what: string, sources: Iterable<DriverSource<D>>, start: (driver: D) => Promise<G>) {
    this.#what = what
    this.#start = start
    // Later ones win, so that a program can put its own in place of a built-in one.
    for (const source of sources) this.#sources.set(source.name, source)
  }

  names(): string[] {
    return [...this.#sources.keys()]
  }

  /** @throws CnmError ERR_CNM_DRIVER_NOT_FOUND, or whatever the driver's start threw (it is started again next time) */
  async get(name: string): Promise<G> {
    const started = this.#started.get(name)
    if (started !== undefined) return started
    const source = this.#sources.get(name)
    if (source === undefined) {
      throw new CnmError('ERR_CNM_DRIVER_NOT_FOUND', `no ${this.#what} ${name}; there are: ${this.names().join(', ')}`, { field: 'driver' })
    }
    const starting = 'load' in source ? source.load().then(this.#start) : this.#start(source)
    this.#started.set(name, starting)
    starting.catch(() => this.#started.delete(name))
    return starting
  }

  /** Stops what was started. Returns what failed. */
  async stop(): Promise<unknown[]> {
    const results = await Promise.allSettled([...this.#started.values()].map(async (driver) => (await driver).stop()))
    return results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  }
}
