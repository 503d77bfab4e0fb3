import { forgetEndpoints } from './addresses.js'
import { ownerOf, save, type Core } from './core.js'
import { withoutSandbox } from './endpoint-leave.js'
import type { Endpoint } from './endpoint.js'
import { tryToRemove } from './network-delete.js'
import type { Sandbox } from './sandbox.js'
import { unmountAll } from './sandbox-mounts/unmount.js'

/**
 * Operations that a crash interrupted: creations and joins that nobody was told of are undone, removals and leaves are
 * finished. The kernel holds nothing of them any more.
 */
export async function finishInterrupted(core: Core): Promise<void> {
  for (const sandbox of core.sandboxes.list()) if (sandbox.record.phase !== 'ready') await finish(removeSandbox(core, sandbox))
  for (const endpoint of [...core.endpoints.values()]) if (endpoint.record.phase !== 'ready') await finish(settleEndpoint(core, endpoint))
  for (const network of core.networks.list()) if (network.record.phase !== 'ready') await finish(tryToRemove(network))
}

/** What fails is tried again while the controller is open: the others are not held up by it. */
const finish = (work: Promise<void>): Promise<void> => work.catch(() => undefined)

/** Its endpoints go with it. */
function removeSandbox(core: Core, sandbox: Sandbox): Promise<void> {
  const about = `sandbox/${sandbox.id}`
  const work = async (): Promise<void> => {
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
  return core.cleanups.run({ about, what: `sandbox ${sandbox.name}`, keys: [about], work })
}

function settleEndpoint(core: Core, endpoint: Endpoint): Promise<void> {
  const about = `endpoint/${endpoint.id}`
  const work = async (): Promise<void> => {
    const before = endpoint.record
    try {
      await takeOut(endpoint)
      if (before.phase === 'creating' || before.phase === 'deleting') await removeEndpoint(core, endpoint)
      else await save(core, [endpoint.record])
    } catch (error) {
      endpoint.record = before
      throw error
    }
  }
  return core.cleanups.run({ about, what: `endpoint ${endpoint.name} of network ${endpoint.network.name}`, keys: [about], work })
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
