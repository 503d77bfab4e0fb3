import { CnmError } from '../contracts/errors.js'
import type { EndpointView, PortView } from '../contracts/network-driver.js'
import type { EndpointRecord } from '../contracts/records.js'
import { forgetEndpoints } from './addresses.js'
import type { Core } from './core.js'
import { joinSandbox } from './endpoint-join.js'
import { leaveSandbox } from './endpoint-leave.js'
import { updateEndpoint } from './endpoint-update.js'
import { inspectEndpoint, type EndpointInspection } from './inspect.js'
import type { Network } from './network.js'
import type { EndpointChanges, OperationOptions, PortOptions, RouteOptions } from './options.js'
import { publishedPort, type PortSelection, type PublishedPort } from './ports/port-views.js'
import { publishingOf, publishPorts, unpublishPorts } from './published-ports.js'
import { Recorded } from './recorded.js'
import type { Sandbox } from './sandbox.js'
import { validPorts } from './validation.js'
import { endpointView } from './views.js'
import { gatewayEndpoint } from './way-out.js'

/** One interface on one network. Made by {@link Network.createEndpoint}; carries traffic while joined to a sandbox. */
export class Endpoint extends Recorded<EndpointRecord> {
  /** @internal something of it may still be in the kernel, though it is joined to nothing: its addresses are not for others */
  unclean = false
  /** The network it belongs to. */
  readonly network: Network
  /** @internal the driver's options, parsed */
  readonly driverOptions: unknown

  /** @internal */
  constructor(core: Core, record: EndpointRecord, network: Network, options: unknown) {
    super(core, record)
    this.network = network
    this.driverOptions = options
  }

  get aliases(): readonly string[] {
    return this.record.aliases
  }
  /** With prefix length: `['10.10.0.128/24']`. */
  get addresses(): string[] {
    return this.record.addresses.map(({ address }) => address)
  }
  get mac(): string {
    return this.record.mac
  }
  /** Name of the interface inside the sandbox; absent while not joined. */
  get interfaceName(): string | undefined {
    return this.record.interfaceName
  }
  /** Routes in its sandbox, beside those of the network. */
  get routes(): readonly RouteOptions[] {
    return this.record.routes ?? []
  }
  /** Published ports, and which way each goes. On a network without a way out of its own: those of its sandbox's way out. */
  get ports(): PublishedPort[] {
    const { ports, addresses } = this.record
    if (this.network.guardedDriver.capabilities.outside === 'gateway-network')
      return this.sandbox === undefined ? [] : (gatewayEndpoint(this.sandbox)?.ports ?? [])
    if (ports.length === 0) return []
    const publishing = publishingOf(this, this.record)
    return ports.map((port) => publishedPort(port, addresses, publishing))
  }
  /** The sandbox it is joined to. */
  get sandbox(): Sandbox | undefined {
    return this.record.sandbox === undefined ? undefined : this.core.sandboxes.find(this.record.sandbox)
  }

  /**
   * Puts the interface into a sandbox.
   * @throws CnmError ERR_CNM_ENDPOINT_JOINED, ERR_CNM_INTERFACE_EXISTS; whatever the kernel refuses
   */
  join(sandbox: Sandbox, options: OperationOptions = {}): Promise<void> {
    return joinSandbox(this, sandbox, options)
  }

  /**
   * Publishes more ports, at once if the endpoint is joined, else when it joins.
   * @returns what was published now, with the host ports that were given
   * @throws CnmError ERR_CNM_PORT_IN_USE naming the holder, ERR_CNM_PORTS_EXHAUSTED, ERR_CNM_NOT_SUPPORTED
   */
  async publish(ports: readonly PortOptions[]): Promise<PortView[]> {
    this.core.alive()
    return publishPorts(this, validPorts(ports))
  }

  /** Withdraws published ports: `[{ host: 9090 }]`. @throws CnmError ERR_CNM_PORT_NOT_FOUND */
  async unpublish(ports: readonly PortSelection[]): Promise<void> {
    this.core.alive()
    return unpublishPorts(this, ports)
  }

  /**
   * Gives it another name, aliases, services or labels; others find it by them from then on, whether or not it is joined.
   * @throws CnmError ERR_CNM_ENDPOINT_EXISTS, ERR_CNM_INVALID_ARGUMENT
   */
  update(changes: EndpointChanges): Promise<void> {
    return updateEndpoint(this, changes)
  }

  /** Takes the interface out of its sandbox; the endpoint keeps its addresses. @throws CnmError ERR_CNM_ENDPOINT_NOT_JOINED */
  leave(_options: OperationOptions = {}): Promise<void> {
    return leaveSandbox(this)
  }

  /**
   * Removes the endpoint and gives its addresses back.
   * @param options `force`: leaves its sandbox first
   * @throws CnmError ERR_CNM_ENDPOINT_JOINED without `force`
   */
  async delete(options: OperationOptions & { force?: boolean } = {}): Promise<void> {
    const { core } = this
    core.alive()
    if (this.record.sandbox !== undefined && options.force) await leaveSandbox(this, 'deleting')
    await core.serial.run([`endpoint/${this.id}`], async () => {
      if (core.endpoints.get(this.id) !== this) return
      if (this.record.sandbox !== undefined) {
        const where = this.sandbox?.name ?? this.record.sandbox
        throw new CnmError('ERR_CNM_ENDPOINT_JOINED', `endpoint ${this.name} is joined to sandbox ${where}`, {
          object: `endpoint ${this.name}`,
        })
      }
      await forgetEndpoints(core, [this])
      this.forget()
    })
  }

  inspect(): EndpointInspection {
    return inspectEndpoint(this)
  }

  /** @internal the record is gone: so is the object */
  forget(): void {
    this.core.endpoints.delete(this.id)
    this.network.endpointsByName.delete(this.name)
    this.core.events.emit('endpoint:delete', { endpoint: this, network: this.network })
  }
  /** @internal */
  view(record: EndpointRecord = this.record): EndpointView {
    return endpointView(record, this.driverOptions)
  }
}
