import type { EndpointRecord } from '../contracts/records.js'
import { forgetEndpoints } from './addresses.js'
import { ipamDriver, ownerOf, save, type Core } from './core.js'
import { withoutSandbox } from './endpoint-join.js'
import type { Endpoint } from './endpoint.js'
import type { Network } from './network.js'
import { givePoolsBack } from './pools.js'
import type { Sandbox } from './sandbox.js'

/**
 * Operations that a crash interrupted: creations and joins that nobody was told of are undone, removals and leaves are
 * finished.
 */
export async function finishInterrupted(core: Core): Promise<void> {
  for (const sandbox of core.sandboxes.list()) if (sandbox.record.phase !== 'ready') await removeSandbox(core, sandbox)
  for (const endpoint of [...core.endpoints.values()]) if (endpoint.record.phase !== 'ready') await settleEndpoint(core, endpoint)
  for (const network of core.networks.list()) if (network.record.phase !== 'ready') await removeNetwork(core, network)
}

async function removeSandbox(core: Core, sandbox: Sandbox): Promise<void> {
  for (const endpoint of sandbox.endpoints) {
    await takeOut(core, endpoint, sandbox)
    await removeEndpoint(core, endpoint)
  }
  await core.engine.apply(new Map([[ownerOf(sandbox.record), undefined]]))
  await save(core, [], [sandbox.record])
  core.sandboxes.remove(sandbox)
}

async function settleEndpoint(core: Core, endpoint: Endpoint): Promise<void> {
  const { sandbox } = endpoint
  const { phase } = endpoint.record
  const outside: EndpointRecord = sandbox === undefined ? withoutSandbox(endpoint.record) : await takeOut(core, endpoint, sandbox)
  if (phase === 'creating' || phase === 'deleting') return removeEndpoint(core, endpoint)
  await save(core, [outside])
}

async function takeOut(core: Core, endpoint: Endpoint, sandbox: Sandbox): Promise<EndpointRecord> {
  const inside = endpoint.record
  await core.leases.release(endpoint, sandbox)
  sandbox.joined.delete(endpoint)
  await core.engine.apply(
    new Map([
      [ownerOf(inside), undefined],
      [ownerOf(sandbox.record), sandbox.describe()],
    ]),
  )
  await endpoint.network.guardedDriver.afterLeave(endpoint.view(inside), endpoint.network.view())
  endpoint.record = withoutSandbox(inside)
  return endpoint.record
}

async function removeEndpoint(core: Core, endpoint: Endpoint): Promise<void> {
  await forgetEndpoints(core, [endpoint])
  endpoint.forget()
}

async function removeNetwork(core: Core, network: Network): Promise<void> {
  const { record, guardedDriver } = network
  await core.engine.apply(new Map([[ownerOf(record), undefined]]))
  await guardedDriver.afterDelete(network.view())
  if (guardedDriver.capabilities.addresses) await givePoolsBack(ipamDriver(core, record.ipamDriver), record.id, record.pools)
  await save(core, [], [record])
  core.networks.remove(network)
}
