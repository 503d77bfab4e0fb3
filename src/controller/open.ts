import { join } from 'node:path'
import * as v from 'valibot'
import { CnmError } from '../contracts/errors.js'
import type { IpamDriver } from '../contracts/ipam-driver.js'
import type { DriverContext, NetworkDriver } from '../contracts/network-driver.js'
import type { ClusterStore, Store } from '../contracts/store.js'
import type { VolumeDriver } from '../contracts/volume-driver.js'
import { Engine } from '../engine/engine.js'
import { Kernel } from '../kernel/index.js'
import { builtInDrivers, builtInIpam, clusterIpam } from './built-in.js'
import { Cleanups } from './cleanups.js'
import { Cluster } from './cluster/cluster.js'
import type { NodeOptions } from './cluster/node-options.js'
import { networkCollection, sandboxCollection } from './collections.js'
import type { Core, Emit } from './core.js'
import { checkDistinct } from './distinct-drivers.js'
import { DriverRegistry, type DriverSource } from './driver-registry.js'
import type { Endpoint } from './endpoint.js'
import { HostLinks } from './host-links.js'
import { GuardedDriver, type AnyNetworkDriver } from './guarded-driver.js'
import { readHostFacts } from './host-facts.js'
import { KeyVault } from './key-vault.js'
import { Leases } from './leases.js'
import { NameService } from './name-service.js'
import { Ports } from './ports.js'
import { Redescriptions } from './redescriptions.js'
import { recover } from './recover.js'
import { Serial } from './serial.js'
import { Turns } from './turns.js'
import { Troubles } from './troubles.js'
import { Undo } from './undo.js'
import { check } from './validation.js'
import { Watch } from './watch.js'
import { volumeState } from './volumes/open-volumes.js'

export interface ControllerOptions {
  /** Where records are kept; made with mode 0700. Default `/var/lib/libcnm`. */
  stateDir?: string
  /** Instead of the LMDB store in `stateDir`. It is not closed with the controller. */
  store?: Store
  /** Owner of everything in the kernel: the nftables table, namespaces, link aliases. Up to 12 letters and digits. Default `cnm`. */
  instance?: string
  /** Network drivers beside the built-in ones; one of the same name takes the built-in's place. */
  drivers?: readonly NetworkDriver[]
  /** Volume drivers beside `local`. */
  volumeDrivers?: readonly VolumeDriver[]
  /** IPAM drivers beside `default` and `null`. */
  ipam?: readonly IpamDriver[]
  /** From where subnets are taken when none is given. */
  defaultPools?: readonly { base: string; size: number }[]
  /** Options for new networks, by driver, where the caller gives none. */
  defaultNetworkOptions?: Record<string, Record<string, string>>
  /**
   * Follow the kernel: what somebody else changes of ours is put back, and when the host's links or default routes change,
   * networks that depend on them are described anew. Default true. Needs the program's main thread; in a worker a warning
   * says that nothing is followed.
   */
  watch?: boolean
  /**
   * What the hosts of a cluster share: `etcd({ endpoints })` of `libcnm/store/etcd`. Networks of scope `global` live there.
   * Closed with the controller.
   */
  cluster?: ClusterStore
  /** This host in the cluster; needed with `cluster`. */
  node?: NodeOptions
  signal?: AbortSignal
}

const fields = v.strictObject({
  stateDir: v.optional(v.pipe(v.string(), v.startsWith('/'))),
  store: v.optional(v.any()),
  instance: v.optional(v.pipe(v.string(), v.regex(/^[a-z][a-z0-9]{0,11}$/))),
  drivers: v.optional(v.array(v.any())),
  volumeDrivers: v.optional(v.array(v.any())),
  ipam: v.optional(v.array(v.any())),
  defaultPools: v.optional(v.array(v.strictObject({ base: v.string(), size: v.number() }))),
  defaultNetworkOptions: v.optional(v.record(v.string(), v.record(v.string(), v.string()))),
  watch: v.optional(v.boolean()),
  cluster: v.optional(v.any()),
  node: v.optional(
    v.strictObject({
      name: v.pipe(v.string(), v.regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/, 'expected letters, digits, _ . -')),
      address: v.pipe(v.string(), v.ip('expected an IPv4 or IPv6 address')),
      lease: v.optional(v.pipe(v.number(), v.integer(), v.minValue(2), v.maxValue(3600))),
      grace: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(86_400))),
      keyLifetime: v.optional(v.pipe(v.number(), v.minValue(60), v.maxValue(604_800))),
    }),
  ),
  signal: v.optional(v.instance(AbortSignal)),
})

/** Builds what a controller runs on; each part is let go again when a later one fails. */
export async function openCore(options: ControllerOptions, emit: Emit): Promise<{ core: Core; close: () => Promise<void> }> {
  check(fields, options, 'controller')
  checkDistinct(options.drivers, 'drivers')
  checkDistinct(options.volumeDrivers, 'volumeDrivers')
  checkDistinct(options.ipam, 'ipam')
  if ((options.cluster === undefined) !== (options.node === undefined))
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', 'controller: cluster and node go together', { field: 'node' })
  const instance = options.instance ?? 'cnm'
  const directory = join(options.stateDir ?? '/var/lib/libcnm', instance)
  const undo = new Undo()
  try {
    const kernel = await Kernel.open()
    undo.push(() => kernel.close())
    await kernel.lockInstance(instance)
    const store = options.store ?? (await openStore(directory))
    if (options.store === undefined) undo.push(() => store.close())
    const core = await assemble({ options, instance, directory, kernel, store, emit, undo })
    const watch = await openWatch(core, options.watch)
    undo.push(() => watch?.close())
    const refused = await recover(core)
    watch?.begin(refused)
    await core.cluster?.start()
    return { core, close: () => closeCore(core, undo) }
  } catch (error) {
    await undo.run()
    throw error
  }
}

interface Parts {
  options: ControllerOptions
  instance: string
  directory: string
  kernel: Kernel
  store: Store
  emit: Emit
  undo: Undo
}

async function assemble({ options, instance, directory, kernel, store, emit, undo }: Parts): Promise<Core> {
  let closed = false
  const contextOf = (driver: string): DriverContext => ({
    instance,
    directory: join(directory, 'drivers', driver),
    changed: (id, part) => core.redescriptions.changed(id, part),
    networks: () =>
      core.networks
        .list()
        .filter((network) => network.driver === driver)
        .map((network) => network.view()),
    warn: (message, about) => emit('warning', { message, about }),
  })
  const drivers = new DriverRegistry(
    'network driver',
    [...builtInDrivers(), ...((options.drivers ?? []) as readonly DriverSource<AnyNetworkDriver>[])],
    (driver) => GuardedDriver.start(driver, contextOf(driver.name)),
  )
  undo.push(async () => throwAll(await drivers.stop()))
  const ipam = new Map<string, IpamDriver>()
  const builtIn = await builtInIpam(store, options.defaultPools)
  const inOurStore = new Set(builtIn.filter((driver) => driver.prepareAddress !== undefined && driver.prepareRelease !== undefined))
  for (const driver of [...builtIn, ...(options.ipam ?? [])]) {
    ipam.set(driver.name, driver)
    await driver.start?.()
    undo.push(() => driver.stop?.())
  }
  const [serial, troubles, keys] = [new Serial(), new Troubles(), new KeyVault()]
  const cleanups = new Cleanups({ serial, troubles, emit })
  undo.push(() => cleanups.close())
  const core: Core = {
    instance,
    directory,
    kernel,
    engine: new Engine(instance, keys.revealingTo(kernel)),
    keys,
    store,
    drivers,
    ipam,
    sharesStore: (driver) => inOurStore.has(driver),
    ports: new Ports(kernel),
    get names() {
      return names
    },
    get leases() {
      return leases
    },
    get redescriptions() {
      return redescriptions
    },
    hostLinks: new HostLinks(),
    troubles,
    cleanups,
    get cluster() {
      return cluster
    },
    serial,
    turns: new Turns(),
    networks: networkCollection(),
    sandboxes: sandboxCollection(),
    endpoints: new Map<string, Endpoint>(),
    volumes: volumeState({ instance, directory, kernel, store, drivers: options.volumeDrivers ?? [], cluster: sharedStore(options) }),
    events: { emit },
    defaultNetworkOptions: options.defaultNetworkOptions ?? {},
    defaultPools: options.defaultPools,
    alive: () => {
      if (closed) throw new CnmError('ERR_CNM_CLOSED', 'the controller is closed')
    },
    hostFacts: (links) => readHostFacts(kernel, instance, links, cluster?.node),
  }
  undo.push(async () => throwAll(await core.volumes.drivers.stop()))
  const cluster = options.cluster && new Cluster(core, options.cluster, options.node!, await clusterIpam(options.cluster))
  const names = new NameService(core)
  const redescriptions = new Redescriptions(core)
  undo.push(() => names.close())
  const leases = new Leases(core)
  undo.push(() => leases.close())
  undo.push(() => redescriptions.close())
  undo.push(() => cluster?.close())
  undo.push(() => core.ports.close())
  undo.push(() => (closed = true))
  return core
}

/** Before anything is read of the kernel, so that nothing happens unseen in between. */
async function openWatch(core: Core, wanted: boolean | undefined): Promise<Watch | undefined> {
  if (wanted === false) return undefined
  try {
    return await Watch.open(core)
  } catch (error) {
    if (wanted === true) throw error
    core.events.emit('warning', { message: `the kernel is not watched: ${error instanceof Error ? error.message : String(error)}` })
    return undefined
  }
}

async function openStore(directory: string): Promise<Store> {
  const { lmdb } = await import('../store/lmdb.js')
  return lmdb({ directory: join(directory, 'store') })
}

async function closeCore(core: Core, undo: Undo): Promise<void> {
  await core.redescriptions.close()
  await core.cleanups.close()
  await core.serial.idle()
  throwAll(await undo.run())
}

function throwAll(failures: readonly unknown[]): void {
  if (failures.length === 1) throw failures[0]
  if (failures.length > 1) throw new AggregateError(failures, 'close: several parts failed')
}

const sharedStore = ({ cluster, node }: ControllerOptions): { store: Store; node: string } | undefined =>
  cluster === undefined || node === undefined ? undefined : { store: cluster, node: node.name }
