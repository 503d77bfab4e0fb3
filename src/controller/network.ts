import { CnmError } from '../contracts/errors.js'
import type { HostFacts, NetworkView } from '../contracts/network-driver.js'
import type { NetworkRecord, PartRecord, SandboxRecord } from '../contracts/records.js'
import { membersOf, type NetworkMember } from './cluster/members.js'
import type { Core } from './core.js'
import { createEndpoint } from './endpoint-create.js'
import type { Endpoint } from './endpoint.js'
import type { GuardedDriver } from './guarded-driver.js'
import { inspectNetwork, type NetworkInspection } from './inspect.js'
import { deleteNetwork } from './network-delete.js'
import { updateNetwork } from './network-update.js'
import type { EndpointOptions, NetworkChanges, OperationOptions, RouteOptions } from './options.js'
import { Recorded } from './recorded.js'
import { networkView } from './views.js'

/**
 * A group of endpoints that can talk to each other and are isolated from other groups. Made by
 * {@link Controller.createNetwork}.
 */
export class Network extends Recorded<NetworkRecord> {
  /** @internal */
  readonly guardedDriver: GuardedDriver
  /** @internal the driver's options, parsed */
  driverOptions: unknown
  /** @internal by name; `undefined` while one is being made */
  readonly endpointsByName = new Map<string, Endpoint | undefined>()
  /** @internal what the driver describes part by part, by name */
  readonly parts = new Map<string, PartRecord>()
  /** @internal of scope `global`: endpoints that are joined here or about to be; without any, nothing of it is in the kernel */
  readonly users = new Set<string>()
  #facts: HostFacts | undefined

  /** @internal */
  constructor(core: Core, record: NetworkRecord, driver: GuardedDriver, options: unknown) {
    super(core, record)
    this.guardedDriver = driver
    this.driverOptions = options
  }

  get driver(): string {
    return this.record.driver
  }
  get scope(): 'local' | 'global' {
    return this.guardedDriver.capabilities.scope
  }
  get internal(): boolean {
    return this.record.internal
  }
  get configOnly(): boolean {
    return this.record.configOnly
  }
  /** The subnets, `10.10.0.0/24`. */
  get subnets(): string[] {
    return this.record.pools.map(({ subnet }) => subnet)
  }
  /** The network's own addresses. */
  get gateways(): string[] {
    return this.record.pools.flatMap(({ gateway }) => (gateway === undefined ? [] : [gateway]))
  }
  /** Routes in every sandbox on this network. */
  get routes(): readonly RouteOptions[] {
    return this.record.routes ?? []
  }
  get endpoints(): Endpoint[] {
    return [...this.endpointsByName.values()].filter((endpoint) => endpoint !== undefined)
  }

  /**
   * A new endpoint: an interface on this network, with its address, ready to join a sandbox.
   * @throws CnmError ERR_CNM_ENDPOINT_EXISTS, ERR_CNM_ADDRESS_IN_USE, ERR_CNM_ADDRESSES_EXHAUSTED, ERR_CNM_INVALID_ARGUMENT
   */
  createEndpoint(options: EndpointOptions): Promise<Endpoint> {
    return createEndpoint(this, options)
  }

  /**
   * Changes the network while it is in use, whole or not at all: labels, driver options, name servers, TTL of names, routes.
   * @throws CnmError ERR_CNM_INVALID_ARGUMENT for what cannot change while the network exists, ERR_CNM_UNKNOWN_OPTION,
   *   ERR_CNM_NETWORK_IN_USE naming an endpoint that stands in the way, ERR_CNM_NOT_SUPPORTED; whatever the kernel refuses
   */
  update(changes: NetworkChanges): Promise<void> {
    return updateNetwork(this, changes)
  }

  /**
   * Removes the network and gives its addresses back.
   * @throws CnmError ERR_CNM_NETWORK_IN_USE while it has endpoints, naming them
   */
  delete(_options: OperationOptions = {}): Promise<void> {
    return deleteNetwork(this)
  }

  /**
   * Every endpoint of the network, on whatever host it is.
   * @throws CnmError ERR_CNM_CLUSTER_UNREACHABLE
   */
  members(): Promise<NetworkMember[]> {
    this.core.alive()
    return membersOf(this)
  }

  /** Plain data in the shape of `docker network inspect`. */
  inspect(): NetworkInspection {
    return inspectNetwork(this)
  }

  /** @internal */
  view(): NetworkView {
    return networkView(this.record, this.driverOptions, this.core.cluster?.view(this))
  }

  /** @internal whether its endpoints are found by name */
  get hasNames(): boolean {
    return this.guardedDriver.capabilities.resolver && !this.record.gateway
  }

  /** @internal whether something of it is to be in the kernel of this host */
  get present(): boolean {
    return this.scope === 'local' || this.users.size > 0
  }

  /** @internal what the driver knows of the host; read once, and again after {@link forgetFacts} */
  async facts(): Promise<HostFacts> {
    if (this.#facts === undefined) {
      const names = this.guardedDriver.hostLinks(this.view())
      const facts = await this.core.hostFacts(names)
      this.core.hostLinks.note(this, linksSeen(names, facts), facts)
      this.#facts = facts
    }
    return this.#facts
  }
  /** @internal what was read last */
  get knownFacts(): HostFacts | undefined {
    return this.#facts
  }
  /** @internal */
  forgetFacts(): void {
    this.#facts = undefined
  }

  /** @internal the MAC of all its endpoints, where they have none of their own */
  async interfaceMac(): Promise<string | undefined> {
    return this.guardedDriver.interfaceMac(this.view(), await this.facts())
  }

  /** @internal @throws CnmError ERR_CNM_NETWORK_NOT_FOUND */
  refuseGone(): void {
    if (this.record.phase === 'ready' && this.core.networks.find(this.id) === this) return
    throw new CnmError('ERR_CNM_NETWORK_NOT_FOUND', `network ${this.name} is gone`, { object: `network ${this.name}` })
  }
  /** @internal @throws CnmError when a sandbox may not join */
  refuseSandbox(sandbox: SandboxRecord): void {
    if (this.configOnly)
      throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${this.name} is config-only: nothing can join it`, {
        object: `network ${this.name}`,
      })
    const hostStack = sandbox.namespace === 'host'
    if (hostStack === this.guardedDriver.capabilities.hostStack) return
    const reason = hostStack ? `sandbox ${sandbox.name} is the host's own stack` : `only a sandbox that is the host's own stack can join it`
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${this.name} (driver ${this.driver}): ${reason}`, {
      object: `network ${this.name}`,
    })
  }
}

/** Links of the host whose change concerns a network: those that its driver named, and in a cluster that of the node's address. */
const linksSeen = (named: readonly string[], { node }: HostFacts): readonly string[] =>
  node?.link === undefined ? named : [...named, node.link]
