import type { KernelObject, KernelObjectKind, ObjectOf, Place } from '../contracts/kernel-objects.js'
import type { Operation } from '../contracts/operations.js'
import type { Flow, FlowFilter, OriginalDestination } from './conntrack/index.js'
import { eventThread, KernelWatch, type KernelEvent, type WatchOptions } from './events/index.js'
import { SpecialFiles } from './files/special-files.js'
import type { HostReading, ReadRequest } from './host-calls.js'
import type { Mount } from './mountinfo.js'
import { Mounting } from './mounting/mounting.js'
import type { PublishedPorts } from './ports/flows.js'
import type { PortReservation, ReservationResult } from './ports/reservation.js'
import type { Capabilities, FeatureName } from './probe/index.js'
import type { EnvironmentSpec, SpawnSpec } from './process/messages.js'
import type { RunningProgram } from './process/programs.js'
import type { ListFilter, PlainCaller } from './protocol.js'
import type { SocketHandle, SocketRequest } from './sockets.js'
import type { LinkStatistics } from './rtnetlink/index.js'
import { ThreadHandle } from './thread-handle.js'
import type { Fault } from './transaction/faults.js'
import type { WireguardState } from './wireguard/index.js'

export interface KernelOptions extends CallOptions {
  /** For tests: one operation fails on purpose. */
  fault?: Fault
}

export interface CallOptions {
  /** Honoured until the kernel thread begins with the call; what has begun is finished. */
  signal?: AbortSignal
}

/**
 * The Linux kernel, through a thread of its own: system calls that change namespaces, or wait for the kernel, never run
 * on the program's thread. Calls are carried out in the order in which they are made.
 *
 * `at` is a network namespace: `host` (where the program was when the kernel was opened), an absolute path, `pid:<n>`
 * or `fd:<n>`. Every call throws ERR_CNM_ABORTED, ERR_CNM_CLOSED after {@link close}, ERR_CNM_THREAD_DIED, and what the
 * kernel refuses as a CnmError with its error number and its own words.
 */
export class Kernel implements AsyncDisposable {
  readonly #thread: ThreadHandle

  /** Mounts for programs. */
  readonly mounting: Mounting
  /** What Node cannot do with files. */
  readonly files: SpecialFiles

  private constructor(thread: ThreadHandle) {
    this.#thread = thread
    const call: PlainCaller = (name, ...args) => thread.call(undefined, name, ...args)
    this.mounting = new Mounting(call)
    this.files = new SpecialFiles(call)
  }

  /**
   * Starts a kernel thread. It keeps the program running only while a call is under way.
   * @throws CnmError ERR_CNM_THREAD_DIED when the thread cannot start
   */
  static async open({ signal, fault }: KernelOptions = {}): Promise<Kernel> {
    signal?.throwIfAborted()
    return new Kernel(await ThreadHandle.start(fault === undefined ? {} : { fault }))
  }

  /**
   * Carries out the operations in order, all or none: when one fails, those before it are undone in reverse order.
   * Links and namespaces are removed after everything else has succeeded, together with those of other transactions
   * that wait.
   * @throws CnmError of the operation that failed (`operationIndex`, `operation`, `errnoName`, `kernelText`); with an
   *   AggregateError as `cause` when not everything could be undone
   */
  async transaction(operations: readonly Operation[], { signal }: CallOptions = {}): Promise<void> {
    await this.#thread.call(signal, 'transaction', operations)
  }

  /** Objects of these kinds in a namespace, as the kernel has them now; with a filter only those with equal fields. */
  async list<K extends KernelObjectKind>(
    at: Place,
    kinds: readonly K[],
    filter?: ListFilter,
    { signal }: CallOptions = {},
  ): Promise<ObjectOf<K>[]> {
    return (await this.#thread.call(signal, 'list', at, kinds, filter ?? null)) as ObjectOf<K>[]
  }

  /** @throws CnmError ERR_CNM_NAMESPACE_NOT_FOUND when `at` leads to no network namespace */
  async checkNamespace(at: Place, { signal }: CallOptions = {}): Promise<void> {
    await this.#thread.call(signal, 'checkNamespace', at)
  }

  /** Kernel parameters of a namespace, by path: `net/ipv4/ip_forward`. */
  readonly sysctl = {
    get: (at: Place, path: string, { signal }: CallOptions = {}): Promise<string> => this.#thread.call(signal, 'readSysctl', at, path),
    /** Writes only when the value differs. */
    set: (at: Place, path: string, value: string, { signal }: CallOptions = {}): Promise<void> =>
      this.#thread.call(signal, 'writeSysctl', at, path, value),
  }

  /**
   * What this kernel and this user can do, tried out in a namespace that is thrown away: some 70 ms for everything.
   * {@link capabilitiesTable} renders it.
   */
  probe(features?: readonly FeatureName[], { signal }: CallOptions = {}): Promise<Capabilities> {
    return this.#thread.call(signal, 'probe', features ?? null)
  }

  /**
   * Tells the listener what happens in the kernel from now on. Does not keep the program running.
   * @throws CnmError ERR_CNM_INVALID_ARGUMENT
   */
  watch(options: WatchOptions, listener: (events: KernelEvent[]) => void): Promise<KernelWatch> {
    return KernelWatch.open(
      eventThread((name, ...args) => this.#thread.call(undefined, name, ...args)),
      options,
      listener,
    )
  }

  /** The connection table (conntrack) of a namespace. The numbers are those of the flows that went. */
  readonly flows = {
    list: (at: Place, filter: FlowFilter = {}, { signal }: CallOptions = {}): Promise<Flow[]> =>
      this.#thread.call(signal, 'listFlows', at, filter),
    /** These, and no others with the same addresses. */
    delete: (at: Place, flows: readonly Flow[]): Promise<number> => this.#thread.call(undefined, 'deleteFlows', at, flows),
    /** @throws CnmError ERR_CNM_INVALID_ARGUMENT for a filter without conditions */
    deleteMatching: (at: Place, filter: FlowFilter): Promise<number> => this.#thread.call(undefined, 'deleteMatchingFlows', at, filter),
    /** Those that were addressed to this address and port before any translation. */
    deleteTo: (at: Place, destination: OriginalDestination): Promise<number> =>
      this.#thread.call(undefined, 'deleteFlowsTo', at, destination),
    /** Those that have this address at either end, before or after translation. */
    deleteOf: (at: Place, address: string): Promise<number> => this.#thread.call(undefined, 'deleteFlowsOf', at, address),
  }

  /** Counters of these links, in their order. @throws CnmError ERR_CNM_LINK_NOT_FOUND */
  statistics(at: Place, links: readonly string[], { signal }: CallOptions = {}): Promise<LinkStatistics[]> {
    return this.#thread.call(signal, 'linkStatistics', at, links)
  }

  /** Configuration and peers of a WireGuard link, without its keys. */
  wireguard(at: Place, link: string, { signal }: CallOptions = {}): Promise<WireguardState> {
    return this.#thread.call(signal, 'readWireguard', at, link)
  }

  /** The mounts of the process's mount namespace. */
  mounts({ signal }: CallOptions = {}): Promise<Mount[]> {
    return this.#thread.call(signal, 'mounts')
  }

  /** A socket made inside a namespace. Its descriptor is the caller's to close, or to give to a server or socket of Node. */
  socket(at: Place, request: SocketRequest, { signal }: CallOptions = {}): Promise<SocketHandle> {
    return this.#thread.call(signal, 'socket', at, request)
  }

  /** Reads several namespaces in one call; `undefined` for one that is gone. */
  async read(requests: readonly ReadRequest[], { signal }: CallOptions = {}): Promise<(KernelObject[] | undefined)[]> {
    return (await this.#thread.call(signal, 'read', requests)).map((objects) => objects ?? undefined)
  }

  /** The host's default routes, and the links named. */
  hostFacts(links: readonly string[], { signal }: CallOptions = {}): Promise<HostReading> {
    return this.#thread.call(signal, 'hostFacts', links)
  }

  /** Has the kernel announce the addresses of a link to its neighbours (where arp_notify and ndisc_notify are on). */
  announce(at: Place, link: string, { signal }: CallOptions = {}): Promise<void> {
    return this.#thread.call(signal, 'announce', at, link)
  }

  /**
   * Holds the host ports of the first alternative whose every port is free, with sockets that take no packets.
   * They are held until {@link releasePorts}, or the process ends.
   */
  reservePorts(alternatives: readonly (readonly PortReservation[])[], { signal }: CallOptions = {}): Promise<ReservationResult> {
    return this.#thread.call(signal, 'reservePorts', alternatives)
  }
  releasePorts(fds: readonly number[]): Promise<void> {
    return this.#thread.call(undefined, 'releasePorts', fds)
  }

  /** More descriptors of reserved sockets, for whoever serves them and closes them himself. */
  duplicatePorts(fds: readonly number[]): Promise<number[]> {
    return this.#thread.call(undefined, 'duplicatePorts', fds)
  }

  /** Deletes the connection table's entries of published ports that led, or lead, to these targets; see {@link PublishedPorts}. */
  forgetFlows(ports: readonly PublishedPorts[]): Promise<number> {
    return this.#thread.call(undefined, 'forgetFlows', ports)
  }

  /** Claims an instance on this host until the kernel is closed or the process ends. @throws CnmError ERR_CNM_INSTANCE_LOCKED */
  lockInstance(instance: string): Promise<void> {
    return this.#thread.call(undefined, 'lockInstance', instance)
  }

  /** Instances that have, or had, a controller on this host. */
  instances(): Promise<string[]> {
    return this.#thread.call(undefined, 'instances')
  }
  /** Keeps everybody from opening an instance that nobody has open now. @throws CnmError ERR_CNM_INSTANCE_LOCKED */
  takeOverInstance(instance: string): Promise<void> {
    return this.#thread.call(undefined, 'takeOverInstance', instance)
  }
  releaseInstance(instance: string): Promise<void> {
    return this.#thread.call(undefined, 'releaseInstance', instance)
  }

  /** The operations as shell commands, for people. */
  describe(operations: readonly Operation[]): Promise<string[]> {
    return this.#thread.call(undefined, 'describe', operations)
  }

  /** Paths of network namespaces (and of what is left of them) that begin with `prefix`. */
  namespaces(prefix: string): Promise<string[]> {
    return this.#thread.call(undefined, 'namespaces', prefix)
  }

  /** Mounts and hostname for the programs of a sandbox; nothing is changed when it is there already. */
  makeEnvironment(spec: EnvironmentSpec): Promise<void> {
    return this.#thread.call(undefined, 'makeEnvironment', spec)
  }
  dropEnvironment(folder: string): Promise<void> {
    return this.#thread.call(undefined, 'dropEnvironment', folder)
  }

  /** Starts a program inside a network namespace, and in an environment if one is given. */
  spawn(spec: Omit<SpawnSpec, 'id'>, { signal }: CallOptions = {}): Promise<RunningProgram> {
    return this.#thread.spawn(signal, spec)
  }

  /** Finishes what was asked and ends the thread; the second call waits for the first. */
  close(): Promise<void> {
    return this.#thread.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
