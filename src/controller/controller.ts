import { EventEmitter } from 'eventemitter3'
import { CnmError } from '../contracts/errors.js'
import { check, type Deviation } from '../engine/check.js'
import { forgetNode } from './cluster/forget-node.js'
import { clusterOf } from './cluster/network-create.js'
import type { ClusterNode } from './cluster/nodes.js'
import { collect, type Collected, type CollectOptions } from './collect.js'
import type { Core, Emit } from './core.js'
import { createNetwork } from './network-create.js'
import type { Network } from './network.js'
import { openCore, type ControllerOptions } from './open.js'
import type { NetworkOptions, SandboxOptions } from './options.js'
import { planOn, type Plan } from './plan.js'
import { repair } from './reconcile.js'
import { createSandbox } from './sandbox-create.js'
import type { Sandbox } from './sandbox.js'
import { readStatus, type ControllerStatus } from './status.js'
import type { ControllerEvents } from './events.js'
import type { Filters } from './filters.js'
import { Volumes } from './volumes/volumes.js'

/** A look at the objects of one kind. */
export interface View<T> extends Iterable<T> {
  readonly size: number
  /** By name, id, or a prefix of the id that fits only one. @throws CnmError when there is none, or ERR_CNM_AMBIGUOUS */
  get(key: string): T
  /** Like {@link get}, without an error when there is none. */
  find(key: string): T | undefined
  /** In order of creation. */
  list(options?: { filters?: Filters }): T[]
  /** Deletes what nobody uses (networks without endpoints, sandboxes without them), as far as the filters match. Returns what went. */
  prune(options?: { filters?: Filters }): Promise<{ deleted: string[] }>
}

/**
 * The container network model on this host: networks, endpoints, sandboxes. One controller owns one instance; several
 * instances live side by side without touching each other.
 */
export class Controller extends EventEmitter<ControllerEvents> implements AsyncDisposable {
  readonly #core: Core
  readonly #close: () => Promise<void>
  #closing: Promise<void> | undefined
  readonly networks: View<Network>
  readonly sandboxes: View<Sandbox>
  readonly volumes: Volumes

  private constructor(core: Core, events: Forwarding, close: () => Promise<void>) {
    super()
    this.#core = core
    this.#close = close
    handOver(events, this)
    this.networks = view(core.networks, (network) => network.endpoints.length === 0 && !network.configOnly)
    this.volumes = new Volumes(core)
    this.sandboxes = view(core.sandboxes, (sandbox) => sandbox.endpoints.length === 0)
  }

  /**
   * Opens an instance: takes its lock, reads its records, and puts right what a crash or somebody else left.
   * @throws CnmError ERR_CNM_INSTANCE_LOCKED naming the holder, ERR_CNM_NOT_PERMITTED, ERR_CNM_STORE_CORRUPT
   */
  static async open(options: ControllerOptions = {}): Promise<Controller> {
    const events: Forwarding = { to: undefined, early: [] }
    const { core, close } = await openCore(options, (name, ...event) => tell(events, name, event))
    return new Controller(core, events, close)
  }

  get instance(): string {
    return this.#core.instance
  }

  /** @throws CnmError ERR_CNM_NETWORK_EXISTS, ERR_CNM_POOL_OVERLAP, ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT … */
  createNetwork(options: NetworkOptions): Promise<Network> {
    return createNetwork(this.#core, options)
  }

  /** @throws CnmError ERR_CNM_SANDBOX_EXISTS, ERR_CNM_NAMESPACE_NOT_FOUND, ERR_CNM_INVALID_ARGUMENT … */
  createSandbox(options: SandboxOptions): Promise<Sandbox> {
    return createSandbox(this.#core, options)
  }

  /** The hosts of the cluster, as far as this one has heard of them; none without a cluster. */
  get nodes(): ClusterNode[] {
    return this.#core.cluster?.nodes.list() ?? []
  }

  /**
   * Takes away what the cluster has of a host that will not come back: its endpoints, their addresses and
   * names, and the write leases of its volumes.
   * @throws CnmError ERR_CNM_NODE_NOT_FOUND, ERR_CNM_INVALID_ARGUMENT for a host that is in touch, ERR_CNM_CLUSTER_UNREACHABLE
   */
  async forgetNode(name: string): Promise<void> {
    this.#core.alive()
    await forgetNode(clusterOf(this.#core, 'forgetNode'), name)
  }

  /**
   * Has the hosts of the cluster change the keys of its encrypted networks now, and not when their time comes. Resolves when
   * that has been told; the hosts change over as each of the others can receive with the new keys, and nothing is lost.
   * @throws CnmError ERR_CNM_NOT_SUPPORTED when no encrypted network is in use here, ERR_CNM_CLUSTER_UNREACHABLE
   */
  async rotateKeys(): Promise<void> {
    this.#core.alive()
    await clusterOf(this.#core, 'rotateKeys').encryption.rotate()
  }

  /**
   * Shows what work would do to the kernel, without doing it: `controller.plan((c) => c.createNetwork({ name: 'n' }))`.
   * The work gets a copy of this controller; what it makes exists in the plan only. It cannot run programs or open
   * sockets, and addresses and ports are those that would be given now.
   */
  plan<T>(work: (controller: Controller) => Promise<T>): Promise<Plan<T>> {
    this.#core.alive()
    return planOn(this.#core, (shadow) => work(new Controller(shadow, { to: undefined, early: [] }, async () => undefined)))
  }

  /** Every difference between what should be in the kernel and what is there; nothing when all is well. */
  check(): Promise<Deviation[]> {
    this.#core.alive()
    return check(this.#core.engine, this.#core.kernel)
  }

  /**
   * Puts back what {@link check} finds, as one transaction. Returns what was found.
   * @throws what the kernel refuses, after everything else has been put back; several refusals in an AggregateError
   */
  repair(): Promise<Deviation[]> {
    this.#core.alive()
    return repair(this.#core)
  }

  /**
   * Removes what carries the instance's name but belongs to no record, as every start does. With `keep`, deletes sandboxes
   * and endpoints that are not wanted too; with `instances`, removes what other instances left. Goes on after failures,
   * and says what could not be removed.
   * @throws CnmError ERR_CNM_INVALID_ARGUMENT
   */
  collect(options: CollectOptions = {}): Promise<Collected> {
    this.#core.alive()
    return collect(this.#core, options)
  }

  /** Healthy, or degraded with the reasons. Reads the kernel as {@link check} does. */
  status(): Promise<ControllerStatus> {
    this.#core.alive()
    return readStatus(this.#core)
  }

  /** Ends what is under way, then lets go; networks and sandboxes stay as they are. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Where the core's events go. Those of the opening wait until whoever opens has had the chance to listen. */
interface Forwarding {
  to: Controller | undefined
  early: (() => void)[]
}

function handOver(events: Forwarding, controller: Controller): void {
  setImmediate(() => {
    events.to = controller
    for (const tellNow of events.early.splice(0)) tellNow()
  })
}

/** A listener that throws is its owner's affair: the operation that told it goes on. */
function tell<K extends keyof ControllerEvents>(events: Forwarding, name: K, event: ControllerEvents[K]): void {
  if (events.to === undefined) return void events.early.push(() => tell(events, name, event))
  try {
    ;(events.to as { emit: Emit }).emit(name, ...event)
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}

function view<T extends Network | Sandbox>(collection: Core['networks'] | Core['sandboxes'], unused: (object: T) => boolean): View<T> {
  const objects = collection as unknown as Omit<View<T>, 'prune'>
  return {
    get size() {
      return objects.size
    },
    get: (key) => objects.get(key),
    find: (key) => objects.find(key),
    list: (options) => objects.list(options),
    [Symbol.iterator]: () => objects[Symbol.iterator](),
    prune: (options) => prune(objects.list(options).filter(unused)),
  }
}

/** What somebody began to use meanwhile is left alone. */
async function prune(objects: readonly (Network | Sandbox)[]): Promise<{ deleted: string[] }> {
  const deleted: string[] = []
  const failures: unknown[] = []
  for (const object of objects) {
    try {
      await object.delete()
      deleted.push(object.name)
    } catch (error) {
      if (!(error instanceof CnmError && error.code === 'ERR_CNM_NETWORK_IN_USE')) failures.push(error)
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, 'prune: some could not be deleted')
  return { deleted }
}
