import { CnmError } from '../contracts/errors.js'
import type { EndpointRecord } from '../contracts/records.js'
import { forgetEndpoints } from './addresses.js'
import { leaveNetwork } from './cluster/presence.js'
import { ownerOf, save } from './core.js'
import type { Endpoint } from './endpoint.js'
import { withoutLeased } from './lease-record.js'
import { forgetConnections, portOwner } from './published-ports.js'
import type { Sandbox } from './sandbox.js'
import { settleWayOut } from './way-out.js'

/**
 * Leave: record, kernel, record. The endpoint keeps its addresses and can join again.
 * @param phase `deleting`: it is forgotten too, and a crash in between does not leave it behind
 */
export async function leaveSandbox(endpoint: Endpoint, phase: 'leaving' | 'deleting' = 'leaving'): Promise<void> {
  const { core, network } = endpoint
  core.alive()
  const sandbox = endpoint.sandbox
  if (sandbox === undefined) throw notJoined(endpoint)
  const keys = keysOf(endpoint, sandbox)
  await core.serial.run(keys, async () => {
    const { record } = endpoint
    if (record.sandbox !== sandbox.id) throw notJoined(endpoint)
    const leaving: EndpointRecord = { ...record, phase }
    await save(core, [leaving])
    endpoint.record = leaving
    const work = (): Promise<void> => finishLeave(endpoint, sandbox)
    await core.cleanups.run({ about: ownerOf(record), what: `endpoint ${endpoint.name} of network ${network.name}`, keys, work })
  })
  if (!network.record.gateway) await settleWayOut(sandbox)
  if (phase === 'leaving') core.events.emit('endpoint:leave', { endpoint, network, sandbox })
}

/** Everything after the word that it is to leave. Can be done again from the beginning when it failed. */
async function finishLeave(endpoint: Endpoint, sandbox: Sandbox): Promise<void> {
  const { core, network, record: leaving } = endpoint
  // The sandbox may have been deleted meanwhile, and the endpoint with it.
  if (leaving.sandbox !== sandbox.id) return
  await core.leases.release(endpoint, sandbox)
  await leaveInKernel(endpoint, sandbox, withoutSandbox(leaving))
  try {
    await leaveNetwork(network, endpoint.id)
    core.names.changed(endpoint, sandbox)
    await sandbox.environment.refresh()
    await releasePorts(endpoint, leaving)
    await network.guardedDriver.afterLeave(endpoint.view(leaving), network.view())
    if (leaving.phase === 'deleting') return await forgetLeft(endpoint, sandbox)
    await save(core, [endpoint.record])
    if (network.scope === 'global') await core.cluster?.endpoints.publish(endpoint)
  } catch (error) {
    // Until all of that is done it counts as leaving, and nobody else gets what is its own.
    endpoint.record = leaving
    sandbox.joined.add(endpoint)
    throw error
  }
}

/** One that was taken out for good. */
async function forgetLeft(endpoint: Endpoint, sandbox: Sandbox): Promise<void> {
  const { core, network } = endpoint
  await forgetEndpoints(core, [endpoint])
  core.events.emit('endpoint:leave', { endpoint, network, sandbox })
  endpoint.forget()
}

/** The ports of an endpoint that has left are free again. */
export async function releasePorts(endpoint: Endpoint, left: EndpointRecord): Promise<void> {
  await forgetConnections(endpoint, left.ports, left)
  await endpoint.core.ports.withdraw(portOwner(endpoint))
}

/** The record of the endpoint when it is in no sandbox. */
export function withoutSandbox(record: EndpointRecord): EndpointRecord {
  const { sandbox: _sandbox, interfaceName: _name, state: _state, previous: _previous, ...rest } = record
  return { ...rest, phase: 'ready', addresses: withoutLeased(record), ports: [], description: [], gateways: [] }
}

/** The endpoint's objects go, and the sandbox's default routes change, in one transaction. @param after its record from then on */
export async function leaveInKernel(endpoint: Endpoint, sandbox: Sandbox, after: EndpointRecord): Promise<void> {
  const { core } = endpoint
  const before = endpoint.record
  endpoint.record = after
  sandbox.joined.delete(endpoint)
  try {
    await core.engine.apply(
      new Map([
        [ownerOf(after), undefined],
        [ownerOf(sandbox.record), sandbox.describe()],
      ]),
    )
  } catch (error) {
    endpoint.record = before
    sandbox.joined.add(endpoint)
    throw error
  }
}

/** What is held while an endpoint joins or leaves. */
export const keysOf = (endpoint: Endpoint, sandbox: Sandbox): string[] => [`endpoint/${endpoint.id}`, `sandbox/${sandbox.id}`]

const notJoined = (endpoint: Endpoint): CnmError =>
  new CnmError('ERR_CNM_ENDPOINT_NOT_JOINED', `endpoint ${endpoint.name} is joined to no sandbox`, { object: `endpoint ${endpoint.name}` })
