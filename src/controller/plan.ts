import type { Operation } from '../contracts/operations.js'
import { Engine } from '../engine/engine.js'
import { Mounting, type Kernel } from '../kernel/index.js'
import { memory } from '../store/memory.js'
import { builtInIpam } from './built-in.js'
import { Cleanups } from './cleanups.js'
import { takeNetworks, trialOf } from './cluster/trial.js'
import { networkCollection, sandboxCollection } from './collections.js'
import type { Core } from './core.js'
import { HostLinks } from './host-links.js'
import { KeyVault } from './key-vault.js'
import { Leases } from './leases.js'
import { NameService } from './name-service.js'
import { Ports } from './ports.js'
import { rebuild } from './recover.js'
import { Redescriptions } from './redescriptions.js'
import { Serial } from './serial.js'
import { Turns } from './turns.js'
import { Troubles } from './troubles.js'
import { volumeCollection } from './volumes/open-volumes.js'

/** What would be done: for people and for programs. */
export interface Plan<T = unknown> {
  /** One list per transaction, in order. */
  transactions: Operation[][]
  /** The same as shell commands, a line each; an empty line between transactions. */
  text: string
  /** What the planned work returned. Its objects exist in the plan only. */
  result: T
}

/**
 * Runs work on a copy of the controller's state whose kernel only takes notes. Drivers are asked as for real, and may
 * refuse; networks that they prepared for are given back to them afterwards.
 */
export async function planOn<T>(core: Core, work: (shadow: Core) => Promise<T>): Promise<Plan<T>> {
  const transactions: Operation[][] = []
  const shadow = await shadowOf(core, (operations) => transactions.push([...operations]))
  const known = new Set([...core.networks].map(({ id }) => id))
  try {
    const result = await work(shadow)
    const lines = await Promise.all(transactions.map((operations) => core.kernel.describe(operations)))
    return { transactions, text: lines.map((commands) => commands.join('\n')).join('\n\n'), result }
  } finally {
    for (const network of shadow.networks) if (!known.has(network.id)) await network.guardedDriver.afterDelete(network.view())
    shadow.cluster?.encryption.close()
    shadow.cluster?.endTrial()
    await shadow.store.close()
  }
}

async function shadowOf(core: Core, note: (operations: readonly Operation[]) => void): Promise<Core> {
  const store = memory()
  for (const { key, value } of await core.store.list('')) await store.commit([{ put: key, value }])
  const kernel = noteTaking(core.kernel, note)
  const builtIn = await builtInIpam(store, core.defaultPools)
  const ipam = new Map([...core.ipam].map(([name, driver]) => [name, builtIn.find((other) => other.name === name) ?? driver]))
  const [serial, troubles] = [new Serial(), new Troubles()]
  const shadow: Core = {
    ...core,
    kernel,
    store,
    engine: new Engine(core.instance, kernel),
    keys: new KeyVault(),
    ipam,
    sharesStore: (driver) => builtIn.includes(driver) && driver.prepareAddress !== undefined && driver.prepareRelease !== undefined,
    ports: new Ports(kernel),
    names: new SilentNames(core),
    leases: new NoLeases(core),
    serial,
    turns: new Turns(),
    hostLinks: new HostLinks(),
    troubles,
    cleanups: new Cleanups({ serial, troubles, emit: () => undefined }),
    get cluster() {
      return cluster
    },
    get redescriptions() {
      return redescriptions
    },
    networks: networkCollection(),
    sandboxes: sandboxCollection(),
    endpoints: new Map(),
    volumes: { ...core.volumes, collection: volumeCollection(), planning: true },
    events: { emit: () => undefined },
  }
  const redescriptions = new Redescriptions(shadow)
  const cluster = core.cluster && (await trialOf(core.cluster, shadow))
  for (const driver of builtIn) await driver.start?.()
  await rebuild(shadow)
  if (cluster !== undefined) await takeNetworks(core, shadow)
  return shadow
}

/** Reads the real kernel; changes nothing. Ports are taken to be free. */
function noteTaking(kernel: Kernel, note: (operations: readonly Operation[]) => void): Kernel {
  const notes: Partial<Kernel> = {
    transaction: async (operations) => note(operations),
    reservePorts: async () => ({ chosen: 0, fds: [] }),
    releasePorts: async () => undefined,
    duplicatePorts: async () => [],
    forgetFlows: async () => 0,
    announce: async () => undefined,
    dropEnvironment: async () => undefined,
    instances: async () => [],
    mounting: new Mounting(() => Promise.resolve(null as never)),
  }
  return new Proxy(kernel, {
    get: (real, name) => {
      if (name in notes) return notes[name as keyof Kernel]
      const value: unknown = Reflect.get(real, name, real)
      return typeof value === 'function' ? (value as (...args: unknown[]) => unknown).bind(real) : value
    },
  })
}

/** Asks nobody: which address an interface would get is known only when it is there. */
class NoLeases extends Leases {
  override acquire: Leases['acquire'] = async (_endpoint, _sandbox, joining) => joining
  override release: Leases['release'] = async () => undefined
}

/** Says nothing to the resolver, and opens no sockets: their ports are known only when they are open. */
class SilentNames extends NameService {
  override choose: NameService['choose'] = async () => ({ ipv4: { udp: 0, tcp: 0 } })
  override prepare: NameService['prepare'] = async (_sandbox, record) => ({ record, sockets: { udp: [], tcp: [] }, served: false })
  override serve: NameService['serve'] = async () => undefined
  override changed: NameService['changed'] = async () => undefined
  override changePeers: NameService['changePeers'] = () => undefined
  override addNetwork: NameService['addNetwork'] = () => undefined
  override removeNetwork: NameService['removeNetwork'] = () => undefined
  override removeSandbox: NameService['removeSandbox'] = async () => undefined
}
