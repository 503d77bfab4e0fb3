import type { Description } from '../contracts/description.js'
import { CnmError } from '../contracts/errors.js'
import type {
  Announcements,
  DriverCapabilities,
  DriverContext,
  EndpointView,
  HostFacts,
  NetworkDriver,
  NetworkView,
  NumbersRequest,
  Publishing,
} from '../contracts/network-driver.js'
import { unknownOption } from '../contracts/options.js'
import type { JsonValue } from '../contracts/store.js'
import { hookFailure, limitedHook } from './hook-limit.js'

/** Whatever its options are: the core keeps them as the driver parsed them. */
export type AnyNetworkDriver = NetworkDriver

const DEFAULTS: Required<DriverCapabilities> = {
  scope: 'local',
  outside: 'own',
  publishesPorts: false,
  severalSubnets: false,
  gateway: 'always',
  addresses: true,
  hostStack: false,
  interfaces: true,
  macFromAddress: false,
  singleton: false,
  resolver: true,
}

/**
 * A driver that somebody else wrote, as the core uses it: started once, never called after it was stopped, its hooks
 * limited in time, its failures turned into CnmErrors that name it. Calls for one object are serialised by the core.
 */
export class GuardedDriver {
  readonly name: string
  readonly capabilities: Required<DriverCapabilities>
  readonly #driver: NetworkDriver
  #stopped = false

  private constructor(driver: AnyNetworkDriver) {
    this.#driver = driver
    this.name = driver.name
    this.capabilities = { ...DEFAULTS, ...driver.capabilities }
  }

  static async start(driver: AnyNetworkDriver, context: DriverContext): Promise<GuardedDriver> {
    const guarded = new GuardedDriver(driver)
    await guarded.#hook('start', async () => guarded.#driver.start?.(context))
    return guarded
  }
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    await limitedHook(`driver ${this.name}`, 'stop', async () => this.#driver.stop?.())
  }

  networkOptions(raw: Readonly<Record<string, string>>): unknown {
    return this.#call('networkOptions', () => this.#driver.networkOptions(raw))
  }
  endpointOptions(raw: Readonly<Record<string, string>>): unknown {
    if (this.#driver.endpointOptions !== undefined) return this.#call('endpointOptions', () => this.#driver.endpointOptions!(raw))
    const [first] = Object.keys(raw)
    if (first !== undefined) throw unknownOption(first, [], `endpoint on a network of driver ${this.name}`)
    return undefined
  }
  hostLinks(network: NetworkView): readonly string[] {
    return this.#call('hostLinks', () => this.#driver.hostLinks?.(network) ?? [])
  }
  /** Whether the network takes a gateway address of this family for itself without being asked. */
  wantsGateway(options: unknown, family: 4 | 6, internal: boolean): 'always' | 'if-asked' | 'never' {
    if (this.#driver.gateway !== undefined) return this.#call('gateway', () => this.#driver.gateway!(options, family, internal))
    const rule = this.capabilities.gateway
    if (rule === 'unless-internal') return internal ? 'if-asked' : 'always'
    return rule
  }
  /** Whether networks with these options are internal whatever was asked for. */
  isInternal(options: unknown): boolean {
    return this.#call('internal', () => this.#driver.internal?.(options) ?? false)
  }
  /** The one MAC of all endpoints, where they have none of their own. */
  interfaceMac(network: NetworkView, host: HostFacts): string | undefined {
    return this.#call('interfaceMac', () => this.#driver.interfaceMac?.(network, host))
  }
  announcements(endpoint: EndpointView, network: NetworkView): Announcements {
    return this.#call('announcements', () => this.#driver.announcements?.(endpoint, network) ?? { count: 0, interval: 0 })
  }
  /** How ports are published: without the driver's word, in every family of the endpoint. */
  publishing(endpoint: EndpointView, network: NetworkView): Publishing {
    const families = [...new Set(endpoint.addresses.map(({ family }) => family))]
    return this.#call('publishing', () => this.#driver.publishing?.(endpoint, network) ?? { families })
  }
  network(network: NetworkView, host: HostFacts): Description {
    return this.#call('network', () => this.#driver.network(network, host))
  }
  endpoint(endpoint: EndpointView, network: NetworkView, host: HostFacts): Description {
    return this.#call('endpoint', () => this.#driver.endpoint(endpoint, network, host))
  }
  numbers(network: NetworkView): Readonly<Record<string, NumbersRequest>> {
    return this.#call('numbers', () => this.#driver.numbers?.(network) ?? {})
  }
  pairKeys(network: NetworkView): boolean {
    return this.#call('pairKeys', () => this.#driver.pairKeys?.(network) ?? false)
  }
  parts(network: NetworkView): Iterable<string> {
    return this.#call('parts', () => this.#driver.parts?.(network) ?? [])
  }
  part(network: NetworkView, part: string, host: HostFacts): Description {
    return this.#call('part', () => this.#driver.part?.(network, part, host) ?? [])
  }
  async beforeCreate(network: NetworkView, host: HostFacts, signal?: AbortSignal): Promise<JsonValue | undefined> {
    const result = await this.#hook('beforeCreate', async (limit) => this.#driver.beforeCreate?.(network, host, limit), signal)
    return result ?? undefined
  }
  /** @throws CnmError ERR_CNM_NOT_SUPPORTED for a driver whose networks stay as they were made */
  async beforeUpdate(network: NetworkView, before: NetworkView, host: HostFacts, signal?: AbortSignal): Promise<JsonValue | undefined> {
    if (this.#driver.beforeUpdate === undefined) {
      const reason = `driver ${this.name}: its options cannot change while the network exists`
      throw new CnmError('ERR_CNM_NOT_SUPPORTED', `network ${network.name}, ${reason}`, {
        object: `network ${network.name}`,
        field: 'options',
      })
    }
    const result = await this.#hook('beforeUpdate', async (limit) => this.#driver.beforeUpdate!(network, before, host, limit), signal)
    return result ?? before.state
  }
  async afterDelete(network: NetworkView): Promise<void> {
    await this.#hook('afterDelete', async (limit) => this.#driver.afterDelete?.(network, limit))
  }
  async beforeJoin(endpoint: EndpointView, network: NetworkView, host: HostFacts, signal?: AbortSignal): Promise<JsonValue | undefined> {
    if (this.#driver.beforeJoin === undefined) return undefined
    const result = await this.#hook('beforeJoin', async (limit) => this.#driver.beforeJoin!(endpoint, network, host, limit), signal)
    return result ?? undefined
  }
  async afterLeave(endpoint: EndpointView, network: NetworkView): Promise<void> {
    if (this.#driver.afterLeave === undefined) return
    await this.#hook('afterLeave', async (limit) => this.#driver.afterLeave!(endpoint, network, limit))
  }

  #call<T>(what: string, body: () => T): T {
    this.#alive(what)
    try {
      return body()
    } catch (error) {
      throw hookFailure(`driver ${this.name}`, what, error)
    }
  }

  async #hook<T>(what: string, body: (signal: AbortSignal) => Promise<T>, outer?: AbortSignal): Promise<T> {
    this.#alive(what)
    return limitedHook(`driver ${this.name}`, what, body, outer)
  }

  #alive(what: string): void {
    if (this.#stopped) throw new CnmError('ERR_CNM_CLOSED', `driver ${this.name}: ${what} after it was stopped`)
  }
}
