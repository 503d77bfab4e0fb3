import type { Description, Owner } from '../contracts/description.js'
import type { KernelObject, Place } from '../contracts/kernel-objects.js'
import type { AnyRecord, EndpointRecord, NetworkRecord } from '../contracts/records.js'
import { ownerOf, save, type Core } from './core.js'
import { Endpoint } from './endpoint.js'
import { finishInterrupted } from './finish-interrupted.js'
import { collectGarbage, type CollectFailure } from './garbage.js'
import { loseNamespaces } from './lost-namespaces.js'
import { Network } from './network.js'
import { portOwner, publishingOf } from './published-ports.js'
import { LEFTOVERS, reconcile } from './reconcile.js'
import { everythingOf, withoutPrevious, type Described } from './replace-descriptions.js'
import { recoverSandboxMounts } from './sandbox-mounts/recover.js'
import { Sandbox } from './sandbox.js'
import { readRecord } from './schema.js'
import { serveAll, served } from './serve-again.js'
import { driverOptions } from './views.js'
import { placesOf, type Unsettled } from './settle-deviations.js'
import { settleWaysOut } from './way-out.js'
import { rebuildVolumes, recoverVolumes } from './volumes/recover-volumes.js'

/**
 * After a start: builds the objects from their records, makes again what the kernel has lost, removes what interrupted
 * operations left in it and finishes them, and frees what nobody owns. Returns where the kernel refused something.
 */
export async function recover(core: Core): Promise<Place[]> {
  const leftovers = await rebuild(core, () => loseNamespaces(core))
  await rebuildVolumes(core)
  await recoverVolumes(core)
  await recoverSandboxMounts(core)
  const { unsettled } = await reconcile(core, leftovers)
  for (const each of unsettled) tell(core, each)
  // What is left in the kernel has to be known at the next start too.
  if (!unsettled.some(({ owner }) => owner === LEFTOVERS)) await forgetPrevious(core)
  await finishInterrupted(core)
  await removeGarbage(core)
  await serveAll(core)
  await holdPorts(core)
  core.leases.resume()
  await settleWaysOut(core)
  core.redescriptions.begin()
  for (const { id, configOnly } of core.networks) if (!configOnly) core.redescriptions.changed(id)
  return unsettled.flatMap(({ deviations }) => placesOf(deviations))
}

function tell(core: Core, { owner, error }: Unsettled): void {
  const [kind = '', id = ''] = owner.split('/')
  const name = { network: core.networks, sandbox: core.sandboxes, endpoint: core.endpoints }[kind]?.get(id)?.name
  const what = name === undefined ? 'what an interrupted operation left' : `${kind} ${name}`
  const reason = error instanceof Error ? error.message : String(error)
  core.events.emit('warning', { message: `${what}: the kernel does not have all of it: ${reason}`, about: id })
}

/**
 * Builds the objects from their records, and takes it that the kernel holds what those describe that nobody was at work
 * on. Returns what the others may have left in it.
 */
export async function rebuild(core: Core, beforeAdoption: () => Promise<KernelObject[]> = async () => []): Promise<KernelObject[]> {
  const records = await readAll(core)
  for (const record of records.network) core.networks.add(await buildNetwork(core, record))
  for (const record of records.part) core.networks.find(record.network)?.parts.set(record.name, record)
  for (const record of records.sandbox) core.sandboxes.add(new Sandbox(core, record))
  for (const record of records.endpoint) await addEndpoint(core, record)
  if (served(core).length > 0) await core.names.load()
  const lost = await beforeAdoption()
  const { wanted, leftovers } = descriptions(core)
  core.engine.adopt(wanted)
  return [...lost, ...leftovers]
}

/** What cannot be removed now is no reason not to start. */
async function removeGarbage(core: Core): Promise<void> {
  const failures: CollectFailure[] = []
  await collectGarbage(core, failures)
  for (const { object, reason } of failures) core.events.emit('warning', { message: `${object}: left behind: ${reason}` })
}

/** The sockets that reserve published ports, likewise. */
async function holdPorts(core: Core): Promise<void> {
  for (const endpoint of core.endpoints.values()) {
    const { record } = endpoint
    if (record.ports.length === 0) continue
    for (const { port, holder } of await core.ports.restore(portOwner(endpoint), record.ports, publishingOf(endpoint, record))) {
      const message = `port ${port.protocol}/${port.hostPort} of ${portOwner(endpoint).name} was taken by ${holder} while no controller ran`
      core.events.emit('warning', { message, about: endpoint.id })
    }
  }
}

async function readAll(core: Core): Promise<{ [K in keyof AnyRecord]: AnyRecord[K][] }> {
  const read = async <K extends keyof AnyRecord>(kind: K): Promise<AnyRecord[K][]> =>
    (await core.store.list(`${kind}/`)).map((entry) => readRecord(kind, entry))
  const inOrder = <R extends { created: string }>(records: R[]): R[] => records.sort((a, b) => (a.created < b.created ? -1 : 1))
  return {
    network: inOrder(await read('network')),
    sandbox: inOrder(await read('sandbox')),
    endpoint: inOrder(await read('endpoint')),
    part: await read('part'),
  }
}

async function buildNetwork(core: Core, record: NetworkRecord): Promise<Network> {
  const driver = await core.drivers.get(record.driver)
  return new Network(core, record, driver, record.configOnly ? undefined : driver.networkOptions(driverOptions(record.options)))
}

async function addEndpoint(core: Core, record: EndpointRecord): Promise<void> {
  const network = core.networks.get(record.network)
  const endpoint = new Endpoint(core, record, network, network.guardedDriver.endpointOptions(driverOptions(record.options)))
  network.endpointsByName.set(record.name, endpoint)
  core.endpoints.set(record.id, endpoint)
  // One that was on its way in or out counts as outside; the kernel is told so before it is finished.
  if (record.sandbox === undefined || record.phase !== 'ready') return
  core.sandboxes.get(record.sandbox).joined.add(endpoint)
  network.users.add(record.id)
}

/** What the kernel should hold for those records that are complete, and what it may hold for the others. */
function descriptions(core: Core): { wanted: Map<Owner, Description>; leftovers: KernelObject[] } {
  const wanted = new Map<Owner, Description>()
  const leftovers: KernelObject[] = []
  const add = (record: Described, complete: boolean): void => {
    if (complete) wanted.set(ownerOf(record), record.description)
    else leftovers.push(...everythingOf(record))
    leftovers.push(...(record.previous ?? []))
  }
  for (const network of core.networks)
    for (const record of [network.record, ...network.parts.values()]) add(record, network.record.phase === 'ready')
  for (const { record, sandbox } of core.endpoints.values())
    if (sandbox !== undefined) add(record, record.phase === 'ready' && sandbox.record.phase === 'ready')
  for (const sandbox of core.sandboxes) {
    if (sandbox.record.phase === 'ready') wanted.set(ownerOf(sandbox.record), sandbox.describe())
    else leftovers.push(...sandbox.describe())
  }
  return { wanted, leftovers }
}

/** The kernel has followed the new descriptions, whatever it had done before. */
async function forgetPrevious(core: Core): Promise<void> {
  const settled: Described[] = []
  const gone: Described[] = []
  for (const network of core.networks) {
    if (network.record.previous !== undefined) settled.push((network.record = withoutPrevious(network.record)))
    for (const [name, part] of network.parts) {
      const rest = withoutPrevious(part)
      if (part.description.length > 0) network.parts.set(name, rest)
      else network.parts.delete(name)
      if (part.description.length === 0) gone.push(part)
      else if (part.previous !== undefined) settled.push(rest)
    }
  }
  for (const endpoint of core.endpoints.values())
    if (endpoint.record.previous !== undefined) settled.push((endpoint.record = withoutPrevious(endpoint.record)))
  if (settled.length + gone.length > 0) await save(core, settled, gone)
}
