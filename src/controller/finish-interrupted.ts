import { forgetEndpoints } from './addresses.js'
import { ownerOf, save, type Core } from './core.js'
import { withoutSandbox } from './endpoint-join.js'
import type { Endpoint } from './endpoint.js'
import { removeNetwork } from './network-delete.js'
import type { Sandbox } from './sandbox.js'
import { unmountAll } from './sandbox-mounts/unmount.js'

/**
 * Operations that a crash interrupted: creations and joins that nobody was told of are undone, removals and leaves are
 * finished. The kernel holds nothing of them any more.
 */
export async function finishInterrupted(core: Core): Promise<void> {
  for (const sandbox of core.sandboxes.list()) if (sandbox.record.phase !== 'ready') await removeSandbox(core, sandbox)
  for (const endpoint of [...core.endpoints.values()]) if (endpoint.record.phase !== 'ready') await settleEndpoint(core, endpoint)
  for (const network of core.networks.list()) if (network.record.phase !== 'ready') await removeNetwork(network)
}

async function removeSandbox(core: Core, sandbox: Sandbox): Promise<void> {
  await unmountAll(sandbox)
  for (const endpoint of core.endpoints.values()) {
    if (endpoint.record.sandbox !== sandbox.id) continue
    await takeOut(endpoint)
    await removeEndpoint(core, endpoint)
  }
  await core.engine.apply(new Map([[ownerOf(sandbox.record), undefined]]))
  await save(core, [], [sandbox.record])
  core.sandboxes.remove(sandbox)
}

async function settleEndpoint(core: Core, endpoint: Endpoint): Promise<void> {
  const { phase } = endpoint.record
  await takeOut(endpoint)
  if (phase === 'creating' || phase === 'deleting') return removeEndpoint(core, endpoint)
  await save(core, [endpoint.record])
}

async function takeOut(endpoint: Endpoint): Promise<void> {
  const inside = endpoint.record
  const { core, sandbox } = endpoint
  if (sandbox !== undefined) {
    await core.leases.release(endpoint, sandbox)
    await endpoint.network.guardedDriver.afterLeave(endpoint.view(inside), endpoint.network.view())
  }
  endpoint.record = withoutSandbox(inside)
  endpoint.network.users.delete(endpoint.id)
}

async function removeEndpoint(core: Core, endpoint: Endpoint): Promise<void> {
  await forgetEndpoints(core, [endpoint])
  endpoint.forget()
}
