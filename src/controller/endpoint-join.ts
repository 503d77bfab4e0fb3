import { CnmError } from '../contracts/errors.js'
import type { EndpointRecord } from '../contracts/records.js'
import { canonical } from '../engine/canonical.js'
import { isNotUndone, quarantine } from './addresses-kept.js'
import { announce } from './announce.js'
import { enterNetwork, leaveNetwork } from './cluster/presence.js'
import { abortable, ownerOf, save } from './core.js'
import { describeEndpoint } from './endpoint-description.js'
import { keysOf, leaveInKernel, leaveSandbox } from './endpoint-leave.js'
import type { Endpoint } from './endpoint.js'
import type { PreparedResolver } from './name-service.js'
import type { OperationOptions } from './options.js'
import { openPorts, portOwner, publishingOf } from './published-ports.js'
import type { Sandbox } from './sandbox.js'
import { refuseUnanswerable, settleWayOut } from './way-out.js'
import { undoableOrLater, type Undo } from './undo.js'

/** Join: record, kernel, record. The endpoint's objects and the sandbox's default routes change in one transaction. */
export async function joinSandbox(endpoint: Endpoint, sandbox: Sandbox, options: OperationOptions): Promise<void> {
  const { core, network } = endpoint
  await core.turns.take()
  core.alive()
  abortable(options.signal, `endpoint ${endpoint.name}`)
  network.refuseSandbox(sandbox.record)
  const keys = keysOf(endpoint, sandbox)
  const wasMadeForThis = endpoint.record.phase === 'creating'
  await core.serial.run(keys, () =>
    undoableOrLater({ cleanups: core.cleanups, what: `endpoint ${endpoint.name}`, keys }, async (undo) => {
      refuseJoined(endpoint)
      sandbox.refuseGone()
      refuseUnanswerable(endpoint, sandbox)
      undo.push(() => leaveNetwork(network, endpoint.id))
      await enterNetwork(network, endpoint.id)
      const before = endpoint.record
      const phase = before.phase === 'creating' ? 'creating' : 'joining'
      const joining: EndpointRecord = { ...before, phase, sandbox: sandbox.id }
      joining.interfaceName = network.guardedDriver.capabilities.interfaces ? await sandbox.chooseInterfaceName(endpoint) : undefined
      const facts = await network.facts()
      joining.mac = network.guardedDriver.interfaceMac(network.view(), facts) ?? joining.mac
      joining.state = await network.guardedDriver.beforeJoin(endpoint.view(joining), network.view(), facts, options.signal)
      undo.push(() => network.guardedDriver.afterLeave(endpoint.view(joining), network.view()))
      abortable(options.signal, `endpoint ${endpoint.name}`)
      if (joining.leases !== undefined) await acquireLeases(endpoint, sandbox, joining, undo, options.signal)
      if (joining.wantedPorts.length > 0 && network.guardedDriver.capabilities.outside === 'own') {
        joining.ports = await core.ports.publish(portOwner(endpoint), joining.wantedPorts, publishingOf(endpoint, joining))
        undo.push(() => core.ports.withdraw(portOwner(endpoint)))
      }
      Object.assign(joining, await describeEndpoint(endpoint, joining, sandbox))
      const resolver = await writeDown(endpoint, joining, sandbox, undo)
      const told = tellOthers(endpoint, joining, undo)
      await core.turns.take()
      await joinInKernel(endpoint, sandbox, joining)
      undo.push(() => leaveInKernel(endpoint, sandbox, before))
      await openPorts(endpoint, joining.ports, joining)
      await told
      const joined: EndpointRecord = { ...joining, phase: 'ready' }
      await save(core, [joined])
      endpoint.record = joined
      if (resolver !== undefined) core.names.serve(sandbox, resolver)
      core.names.changed(endpoint, sandbox, { shown: resolver !== undefined })
      await sandbox.environment.refresh()
    }),
  )
  await getWayOut(endpoint, sandbox, wasMadeForThis)
  announce(endpoint, sandbox)
  core.events.emit('endpoint:join', { endpoint, network, sandbox })
}

/**
 * The other hosts of the cluster hear of an endpoint while this one is at work in its kernel: so most of them know where it
 * is when it begins to speak.
 */
function tellOthers(endpoint: Endpoint, joining: EndpointRecord, undo: Undo): Promise<void> | undefined {
  if (endpoint.network.scope === 'local') return undefined
  const told = endpoint.core.cluster?.endpoints.publish(endpoint, joining)
  // Its failure is that of the join, which waits for it before it counts.
  told?.catch(() => undefined)
  undo.push(async () => {
    await told?.catch(() => undefined)
    await endpoint.core.cluster?.endpoints.publish(endpoint)
  })
  return told
}

/** Without the way out that it should have, an endpoint is not joined. */
async function getWayOut(endpoint: Endpoint, sandbox: Sandbox, wasMadeForThis: boolean): Promise<void> {
  if (endpoint.network.record.gateway) return
  try {
    await settleWayOut(sandbox)
  } catch (error) {
    await leaveSandbox(endpoint, wasMadeForThis ? 'deleting' : 'leaving')
    throw error
  }
}

/** Leases need the interface: it goes in without their addresses first. Fills the record with what was acquired. */
async function acquireLeases(
  endpoint: Endpoint,
  sandbox: Sandbox,
  joining: EndpointRecord,
  undo: Undo,
  signal?: AbortSignal,
): Promise<void> {
  const { core, record: before } = endpoint
  Object.assign(joining, await describeEndpoint(endpoint, joining, sandbox))
  await save(core, [joining])
  undo.push(() => save(core, [before]))
  await joinInKernel(endpoint, sandbox, joining)
  undo.push(() => leaveInKernel(endpoint, sandbox, before))
  Object.assign(joining, await core.leases.acquire(endpoint, sandbox, joining, undo, signal))
}

/**
 * The word that it joins. A sandbox gets its resolver when it first joins a network with names: its sockets are made
 * meanwhile, on ports that are written down with the rest.
 */
async function writeDown(endpoint: Endpoint, joining: EndpointRecord, sandbox: Sandbox, undo: Undo): Promise<PreparedResolver | undefined> {
  const { core, network, record: before } = endpoint
  const unserved = sandbox.record
  if (!network.hasNames || unserved.namespace === 'host' || unserved.resolver !== undefined) {
    await save(core, [joining])
    undo.push(() => save(core, [before]))
    return undefined
  }
  const wanted = await core.names.choose(joining.addresses.some(({ family }) => family === 4))
  sandbox.record = { ...unserved, resolver: wanted }
  undo.push(() => (sandbox.record = unserved))
  const [saving, preparing] = await Promise.allSettled([save(core, [joining, sandbox.record]), core.names.prepare(sandbox, wanted)])
  if (saving.status === 'fulfilled') undo.push(() => save(core, [before, unserved]))
  if (preparing.status === 'fulfilled') undo.push(() => core.names.takeBack(sandbox, preparing.value))
  if (saving.status === 'rejected') throw saving.reason as Error
  if (preparing.status === 'rejected') throw preparing.reason as Error
  const { value: resolver } = preparing
  if (canonical(resolver.record) !== canonical(wanted)) {
    sandbox.record = { ...unserved, resolver: resolver.record }
    await save(core, [sandbox.record])
  }
  return resolver
}

async function joinInKernel(endpoint: Endpoint, sandbox: Sandbox, joining: EndpointRecord): Promise<void> {
  const { core } = endpoint
  const before = endpoint.record
  endpoint.record = joining
  sandbox.joined.add(endpoint)
  try {
    await core.engine.apply(
      new Map([
        [ownerOf(joining), joining.description],
        [ownerOf(sandbox.record), sandbox.describe()],
      ]),
    )
  } catch (error) {
    endpoint.record = before
    sandbox.joined.delete(endpoint)
    if (isNotUndone(error)) await quarantine(endpoint)
    throw error
  }
}

function refuseJoined(endpoint: Endpoint): void {
  if (endpoint.core.endpoints.get(endpoint.id) !== endpoint) {
    throw new CnmError('ERR_CNM_ENDPOINT_NOT_FOUND', `endpoint ${endpoint.name} is gone`, { object: `endpoint ${endpoint.name}` })
  }
  if (endpoint.record.sandbox === undefined) return
  const where = endpoint.sandbox?.name ?? endpoint.record.sandbox
  throw new CnmError('ERR_CNM_ENDPOINT_JOINED', `endpoint ${endpoint.name} is joined to sandbox ${where} already`, {
    object: `endpoint ${endpoint.name}`,
  })
}
