import { CnmError } from '../../contracts/errors.js'
import type { JsonValue } from '../../contracts/store.js'
import type { CheckedVolumeOptions, VolumeDriver, VolumeDriverContext, VolumeView } from '../../contracts/volume-driver.js'
import { hookFailure, limitedHook } from '../hook-limit.js'
import { hidden, redacted } from './redacted.js'

/** How long a driver may take until its data is reachable, or not any more. */
const LIMIT_MS = 120_000
const FOREVER = 0

/** A volume for its driver, and what no error about it may say. */
export interface GuardedView {
  view: VolumeView
  secrets: readonly string[]
}

/** A volume driver as the core uses it: limited in time where it only has to reach something, its failures named and free of secrets. */
export class GuardedVolumeDriver {
  readonly name: string
  readonly scope: 'local' | 'global'
  readonly #driver: VolumeDriver
  #stopped = false

  private constructor(driver: VolumeDriver) {
    this.name = driver.name
    this.scope = driver.capabilities?.scope ?? 'local'
    this.#driver = driver
  }

  static async start(driver: VolumeDriver, context: VolumeDriverContext): Promise<GuardedVolumeDriver> {
    const guarded = new GuardedVolumeDriver(driver)
    await limitedHook(`driver ${driver.name}`, 'start', async () => driver.start?.(context))
    return guarded
  }
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    await limitedHook(`driver ${this.name}`, 'stop', async () => this.#driver.stop?.())
  }

  /** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
  checkOptions(options: Readonly<Record<string, string>>): Required<CheckedVolumeOptions> {
    try {
      const { shown = { ...options }, secrets = [] } = this.#driver.checkOptions(options) ?? {}
      return { shown, secrets }
    } catch (error) {
      throw hookFailure(`driver ${this.name}`, 'checkOptions', error)
    }
  }
  async create(volume: GuardedView, signal?: AbortSignal): Promise<JsonValue | undefined> {
    return (await this.#hook('create', volume, (limit) => this.#driver.create(volume.view, limit), signal)) ?? undefined
  }
  /** As long as it takes: there may be millions of files. */
  remove(volume: GuardedView): Promise<void> {
    return this.#hook('remove', volume, (signal) => this.#driver.remove(volume.view, signal), undefined, FOREVER)
  }
  async mount(volume: GuardedView, signal?: AbortSignal): Promise<string> {
    const path = await this.#hook('mount', volume, (limit) => this.#driver.mount(volume.view, limit), signal)
    if (typeof path === 'string' && path.startsWith('/')) return path
    throw new CnmError('ERR_CNM_DRIVER_FAILED', `driver ${this.name}: mount returned ${JSON.stringify(path)}, which is no absolute path`)
  }
  unmount(volume: GuardedView): Promise<void> {
    return this.#hook('unmount', volume, (limit) => this.#driver.unmount(volume.view, limit))
  }
  /** What volumes of other hosts share with this one. */
  storage({ view, secrets }: GuardedView): string | undefined {
    const named = this.#driver.storage?.(view) ?? (this.scope === 'global' ? view.name : undefined)
    return named === undefined ? undefined : hidden(named, secrets)
  }
  path(volume: GuardedView): string | undefined {
    return this.#driver.path?.(volume.view)
  }
  async usage(volume: GuardedView, signal?: AbortSignal): Promise<number | undefined> {
    return this.#hook('usage', volume, async (limit) => this.#driver.usage?.(volume.view, limit), signal, FOREVER)
  }
  async status(volume: GuardedView, signal?: AbortSignal): Promise<Record<string, JsonValue>> {
    return this.#hook('status', volume, async (limit) => (await this.#driver.status?.(volume.view, limit)) ?? {}, signal)
  }

  async #hook<T>(
    what: string,
    { secrets }: GuardedView,
    body: (signal: AbortSignal) => Promise<T>,
    outer?: AbortSignal,
    limit = LIMIT_MS,
  ): Promise<T> {
    if (this.#stopped) throw new CnmError('ERR_CNM_CLOSED', `driver ${this.name}: ${what} after it was stopped`)
    try {
      return await limitedHook(`driver ${this.name}`, what, async (signal) => body(signal), outer, limit)
    } catch (error) {
      throw redacted(error, secrets)
    }
  }
}
