import { CnmError } from '../contracts/errors.js'
import type { DriverContext, NetworkDriver } from '../contracts/network-driver.js'
import { GuardedDriver } from './guarded-driver.js'

/** A driver, or a function that loads it when it is first needed. */
export type DriverSource = NetworkDriver<never, never> | { readonly name: string; load(): Promise<NetworkDriver<never, never>> }

/** The network drivers of one controller, each wrapped once and started on first use. */
export class DriverRegistry {
  readonly #sources = new Map<string, DriverSource>()
  readonly #guarded = new Map<string, Promise<GuardedDriver>>()
  readonly #context: (driver: string) => DriverContext

  constructor(sources: Iterable<DriverSource>, context: (driver: string) => DriverContext) {
    this.#context = context
    // Later ones win, so that a program can put its own in place of a built-in one.
    for (const source of sources) this.#sources.set(source.name, source)
  }

  names(): string[] {
    return [...this.#sources.keys()]
  }

  /** @throws CnmError ERR_CNM_DRIVER_NOT_FOUND, or whatever the driver's start threw (it is started again next time) */
  async get(name: string): Promise<GuardedDriver> {
    const started = this.#guarded.get(name)
    if (started !== undefined) return started
    const source = this.#sources.get(name)
    if (source === undefined) {
      throw new CnmError('ERR_CNM_DRIVER_NOT_FOUND', `no network driver ${name}; there are: ${this.names().join(', ')}`, {
        field: 'driver',
      })
    }
    const starting = this.#start(source)
    this.#guarded.set(name, starting)
    starting.catch(() => this.#guarded.delete(name))
    return starting
  }

  async #start(source: DriverSource): Promise<GuardedDriver> {
    const driver = 'load' in source ? await source.load() : source
    const guarded = new GuardedDriver(driver)
    await guarded.start(this.#context(driver.name))
    return guarded
  }

  /** Stops what was started. Returns what failed. */
  async stop(): Promise<unknown[]> {
    const results = await Promise.allSettled([...this.#guarded.values()].map(async (driver) => (await driver).stop()))
    return results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  }
}
