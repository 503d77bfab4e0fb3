import type { ChildProcess } from 'node:child_process'
import type { Server, Socket } from 'node:net'
import type { Description } from '../contracts/description.js'
import { CnmError } from '../contracts/errors.js'
import type { KernelObject } from '../contracts/kernel-objects.js'
import type { SandboxRecord } from '../contracts/records.js'
import type { LinkStatistics } from '../kernel/index.js'
import type { Core } from './core.js'
import { chooseDefaultRoutes } from './default-route.js'
import { makeDispatcher, type FetchDispatcher } from './dispatcher.js'
import type { Endpoint } from './endpoint.js'
import { createEndpoint } from './endpoint-create.js'
import { SandboxEnvironment } from './environment.js'
import { inspectSandbox, type SandboxInspection } from './inspect.js'
import { firstFreeName } from './interface-name.js'
import type { Network } from './network.js'
import type { EndpointOptions, OperationOptions, SandboxChanges } from './options.js'
import { runIn, spawnIn, type RunOptions, type RunResult, type SpawnOptions } from './programs.js'
import { Recorded } from './recorded.js'
import { resolveIn } from './resolve.js'
import { deleteSandbox } from './sandbox-delete.js'
import type { MountSource, SandboxMountOptions } from './sandbox-mounts/options.js'
import { mountInside } from './sandbox-mounts/mount.js'
import { unmountInside } from './sandbox-mounts/unmount.js'
import { updateSandbox } from './sandbox-update.js'
import { dialFrom, listenIn, type DialOptions, type ListenOptions } from './sandbox-sockets.js'

/** An isolated network stack: interfaces, routes, name resolution. Made by {@link Controller.createSandbox}. */
export class Sandbox extends Recorded<SandboxRecord> {
  /** @internal */
  readonly joined = new Set<Endpoint>()
  /** @internal */
  readonly environment: SandboxEnvironment
  /** @internal programs that were started inside and run */
  readonly programs = new Set<ChildProcess>()
  #dispatcher: FetchDispatcher | undefined

  /** @internal */
  constructor(core: Core, record: SandboxRecord, { isNew = false } = {}) {
    super(core, record)
    this.environment = new SandboxEnvironment(this, isNew)
  }

  get hostname(): string {
    return this.record.hostname
  }
  /** Path of its network namespace; `/proc/self/ns/net` where it is the host's own stack. */
  get netns(): string {
    return this.record.namespace === 'host' ? '/proc/self/ns/net' : this.record.namespace
  }
  /** Joined endpoints, in the order in which they joined. */
  get endpoints(): Endpoint[] {
    return [...this.joined]
  }

  /** Makes an endpoint on a network, named after this sandbox, and joins it. */
  async connect(network: Network, options: Omit<EndpointOptions, 'name'> & { name?: string } = {}): Promise<Endpoint> {
    const endpoint = await createEndpoint(network, { name: this.name, ...options }, 'creating')
    try {
      await endpoint.join(this, { signal: options.signal })
      return endpoint
    } catch (error) {
      await this.#discard(endpoint, error)
      throw error
    }
  }

  /** Leaves the network and deletes the endpoints that this sandbox has on it. @throws CnmError ERR_CNM_ENDPOINT_NOT_JOINED */
  async disconnect(network: Network, options: OperationOptions = {}): Promise<void> {
    const endpoints = this.endpoints.filter((endpoint) => endpoint.network === network)
    if (endpoints.length === 0) {
      throw new CnmError('ERR_CNM_ENDPOINT_NOT_JOINED', `sandbox ${this.name} is not on network ${network.name}`, {
        object: `sandbox ${this.name}`,
      })
    }
    for (const endpoint of endpoints) await endpoint.delete({ ...options, force: true })
  }

  /**
   * Gives it another name, name servers, extra hosts or labels, while programs run in it. Its endpoints of the old name
   * get the new one.
   * @throws CnmError ERR_CNM_SANDBOX_EXISTS, ERR_CNM_ENDPOINT_EXISTS, ERR_CNM_INVALID_ARGUMENT
   */
  update(changes: SandboxChanges): Promise<void> {
    return updateSandbox(this, changes)
  }

  /** Takes everything out of it, deletes its endpoints, and removes its namespace if it was made for it. */
  delete(options: OperationOptions = {}): Promise<void> {
    return deleteSandbox(this, options)
  }

  /**
   * Starts a program inside: this sandbox's interfaces, hosts file, resolv.conf and hostname, the host's other files.
   * @throws the error of node:child_process when it cannot be started (ENOENT, EACCES)
   */
  spawn(command: string, args: readonly string[] = [], options: SpawnOptions = {}): Promise<ChildProcess> {
    return spawnIn(this, command, args, options)
  }

  /** Runs a program inside to its end, and returns what it wrote. A code other than 0 is no error. */
  run(command: string, args: readonly string[] = [], options: RunOptions = {}): Promise<RunResult> {
    return runIn(this, command, args, options)
  }

  /** Makes a server of this process listen inside. @throws CnmError with `errnoName` EADDRINUSE, EADDRNOTAVAIL */
  listen<T extends Server>(server: T, options: ListenOptions): Promise<T> {
    return listenIn(this, server, options)
  }

  /** Connects from inside; a name resolves as it would for a program inside. @throws CnmError ERR_CNM_NAME_NOT_FOUND */
  dial(options: DialOptions): Promise<Socket> {
    return dialFrom(this, options)
  }

  /** For `fetch(url, { dispatcher })`: connections start inside. */
  dispatcher(): FetchDispatcher {
    this.#dispatcher ??= makeDispatcher(this)
    return this.#dispatcher
  }

  /** Addresses of a name as a program inside would get them. @throws CnmError ERR_CNM_NAME_NOT_FOUND */
  resolve(name: string, options: OperationOptions = {}): Promise<string[]> {
    return resolveIn(this, name, options)
  }

  /**
   * Makes a volume, a folder of the host or a file system in memory visible to the programs inside, also to those that
   * run. A name is that of a volume, made if there is none. The target is made if it is missing, and goes again.
   * @throws CnmError ERR_CNM_MOUNT_EXISTS, ERR_CNM_VOLUME_IN_USE, ERR_CNM_INVALID_ARGUMENT
   */
  mount(source: MountSource, target: string, options: SandboxMountOptions = {}): Promise<void> {
    return mountInside(this, source, target, options)
  }

  /** Takes away what {@link mount} put there. @throws CnmError ERR_CNM_VOLUME_NOT_MOUNTED */
  unmount(target: string): Promise<void> {
    return unmountInside(this, target)
  }

  /**
   * Packets and bytes of its endpoints' interfaces since they were made, by interface name, as the sandbox counts them
   * (`rx` is what it has received). @throws CnmError ERR_CNM_SANDBOX_NOT_FOUND
   */
  async statistics({ signal }: OperationOptions = {}): Promise<Record<string, LinkStatistics>> {
    this.core.alive()
    this.refuseGone()
    const names = this.endpoints.flatMap(({ interfaceName }) => interfaceName ?? [])
    const counters = await this.core.kernel.statistics(this.record.namespace, names, { signal })
    return Object.fromEntries(names.map((name, i) => [name, counters[i]!]))
  }

  inspect(): SandboxInspection {
    return inspectSandbox(this)
  }

  /** @internal what must be in the kernel for the sandbox itself, with one default route per family */
  describe(): Description {
    const { namespace: at, owned } = this.record
    const routes = chooseDefaultRoutes(this.endpoints)
    const names = this.core.names.describe(this)
    if (at === 'host') return routes
    if (this.record.lost) return []
    const loopback: KernelObject = { kind: 'link', at, name: 'lo', type: 'existing', up: true }
    return [...(owned ? [{ kind: 'namespace', at } as const] : []), loopback, ...routes, ...names]
  }

  /** @internal @throws CnmError ERR_CNM_INTERFACE_EXISTS, ERR_CNM_INVALID_ARGUMENT */
  async chooseInterfaceName(endpoint: Endpoint): Promise<string> {
    const taken = new Set(this.endpoints.map(({ interfaceName }) => interfaceName))
    if (!this.record.owned) {
      for (const link of await this.core.kernel.list(this.record.namespace, ['link'])) if (link.kind === 'link') taken.add(link.name)
    }
    const wanted = endpoint.record.wantedInterfaceName
    if (wanted === undefined) return firstFreeName(endpoint.network, taken)
    if (!taken.has(wanted)) return wanted
    throw new CnmError('ERR_CNM_INTERFACE_EXISTS', `sandbox ${this.name} has an interface ${wanted} already`, {
      object: `sandbox ${this.name}`,
      field: 'interfaceName',
    })
  }

  /** It was made only to join. What cannot be removed now is later. */
  async #discard(endpoint: Endpoint, reason: unknown): Promise<void> {
    const { id, name, network } = endpoint
    const about = `endpoint/${id}`
    try {
      await this.core.cleanups.run({
        about,
        what: `endpoint ${name} of network ${network.name}`,
        keys: [],
        work: () => endpoint.delete({ force: true }),
      })
    } catch (error) {
      throw new AggregateError([reason, error], reason instanceof Error ? reason.message : String(reason), { cause: reason })
    }
  }

  /** @internal @throws CnmError ERR_CNM_SANDBOX_NOT_FOUND */
  refuseGone(): void {
    if (this.core.sandboxes.find(this.id) === this && this.record.phase === 'ready' && !this.record.lost) return
    throw new CnmError('ERR_CNM_SANDBOX_NOT_FOUND', `sandbox ${this.name} is gone`, { object: `sandbox ${this.name}` })
  }
}
