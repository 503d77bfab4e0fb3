import type { Description, Owner } from '../contracts/description.js'
import type { AnyRecord, EndpointRecord, NetworkRecord } from '../contracts/records.js'
import { canonical } from '../engine/canonical.js'
import { collectGarbage } from './collect.js'
import { ownerOf, save, type Core } from './core.js'
import { CnmError } from '../contracts/errors.js'
import { withoutSandbox } from './endpoint-join.js'
import { Endpoint } from './endpoint.js'
import { finishInterrupted } from './finish-interrupted.js'
import { Network } from './network.js'
import { portOwner, publishingOf } from './published-ports.js'
import { reconcile } from './reconcile.js'
import { Sandbox } from './sandbox.js'
import { readRecord } from './schema.js'
import { driverOptions } from './views.js'

/**
 * After a start: builds the objects from their records, undoes or finishes what was interrupted, makes again what the
 * kernel has lost, and frees what nobody owns.
 */
export async function recover(core: Core): Promise<void> {
  await rebuild(core, () => leaveLostNamespaces(core))
  await reconcile(core, interrupted(core))
  await finishInterrupted(core)
  await collectGarbage(core)
  await serveAgain(core)
  await holdPorts(core)
  core.leases.resume()
}

/** Builds the objects from their records, and takes it that the kernel holds what they describe. */
export async function rebuild(core: Core, beforeAdoption: () => Promise<void> = async () => undefined): Promise<void> {
  const records = await readAll(core)
  for (const record of records.network) core.networks.add(await buildNetwork(core, record))
  for (const record of records.sandbox) core.sandboxes.add(new Sandbox(core, record))
  for (const record of records.endpoint) await addEndpoint(core, record)
  if (served(core).length > 0) await core.names.load()
  await beforeAdoption()
  core.engine.adopt(descriptions(core))
}

/** Somebody else's namespace that is gone: what was joined to it has left; its host side is collected as garbage. */
async function leaveLostNamespaces(core: Core): Promise<void> {
  for (const sandbox of core.sandboxes.list()) {
    const { namespace, owned } = sandbox.record
    if (owned || namespace === 'host' || (await exists(core, namespace))) continue
    for (const endpoint of sandbox.endpoints) {
      await core.leases.release(endpoint, sandbox)
      endpoint.record = withoutSandbox(endpoint.record)
      sandbox.joined.delete(endpoint)
      await save(core, [endpoint.record])
    }
    const { resolver: _resolver, ...rest } = sandbox.record
    sandbox.record = { ...rest, lost: true }
    await save(core, [sandbox.record])
    core.events.emit('warning', { message: `sandbox ${sandbox.name}: its namespace ${namespace} is gone`, about: sandbox.id })
  }
}

const exists = (core: Core, namespace: string): Promise<boolean> =>
  core.kernel.checkNamespace(namespace).then(
    () => true,
    (error: unknown) => {
      if (error instanceof CnmError && error.code === 'ERR_CNM_NAMESPACE_NOT_FOUND') return false
      throw error
    },
  )

/** The resolver's sockets went with the process that had them. On other ports than before, the redirect changes. */
async function serveAgain(core: Core): Promise<void> {
  for (const sandbox of served(core)) {
    const before = sandbox.record
    const prepared = await core.names.prepare(sandbox, before.resolver!.ipv6 === undefined)
    if (canonical(before.resolver) !== canonical(prepared.record)) {
      sandbox.record = { ...before, resolver: prepared.record }
      await save(core, [sandbox.record])
      await core.engine.apply(new Map([[ownerOf(sandbox.record), sandbox.describe()]]))
    }
    await core.names.serve(sandbox, prepared)
  }
}

const served = (core: Core): Sandbox[] => core.sandboxes.list().filter(({ record }) => record.resolver !== undefined)

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
    (await core.store.list(`${kind}/`)).map((entry) => readRecord(kind, entry)).sort((a, b) => (a.created < b.created ? -1 : 1))
  return { network: await read('network'), sandbox: await read('sandbox'), endpoint: await read('endpoint') }
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
  if (record.sandbox !== undefined) core.sandboxes.get(record.sandbox).joined.add(endpoint)
}

function interrupted(core: Core): Set<Owner> {
  const all = [...core.networks, ...core.sandboxes, ...core.endpoints.values()]
  return new Set(all.filter(({ record }) => record.phase !== 'ready').map(({ record }) => ownerOf(record)))
}

/** What every record says is in the kernel, in whatever phase it is: the interrupted ones are settled afterwards. */
function descriptions(core: Core): Map<Owner, Description> {
  const all = new Map<Owner, Description>()
  for (const { record } of core.networks) all.set(ownerOf(record), record.description)
  for (const { record } of core.endpoints.values()) if (record.sandbox !== undefined) all.set(ownerOf(record), record.description)
  for (const sandbox of core.sandboxes) all.set(ownerOf(sandbox.record), sandbox.describe())
  return all
}
