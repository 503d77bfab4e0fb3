import { CnmError } from '../contracts/errors.js'
import type { KernelObject } from '../contracts/kernel-objects.js'
import { leaveNetwork } from './cluster/presence.js'
import { ownerOf, save, type Changes, type Core } from './core.js'
import { releasePorts, withoutSandbox } from './endpoint-leave.js'
import { everythingOf } from './replace-descriptions.js'
import type { Sandbox } from './sandbox.js'

/**
 * At a start: somebody else's namespaces that are gone. What was joined to them has left. Returns what may be left of it
 * on the host.
 */
export async function loseNamespaces(core: Core): Promise<KernelObject[]> {
  const left: KernelObject[] = []
  for (const sandbox of core.sandboxes.list()) {
    const { namespace, owned } = sandbox.record
    if (owned || namespace === 'host' || (await exists(core, namespace))) continue
    left.push(...sandbox.endpoints.flatMap(({ record }) => everythingOf(record)))
    for (const { id, network } of sandbox.endpoints) network.users.delete(id)
    await forget(core, sandbox)
  }
  return left
}

/** The same while a controller runs. */
export async function loseNamespace(core: Core, sandbox: Sandbox): Promise<void> {
  await core.serial.run([`sandbox/${sandbox.id}`], async () => {
    const { lost, namespace } = sandbox.record
    if (core.sandboxes.find(sandbox.id) !== sandbox || lost || (await exists(core, namespace))) return
    await core.names.removeSandbox(sandbox)
    const changes: Changes = new Map([[ownerOf(sandbox.record), undefined]])
    const endpoints = sandbox.endpoints
    for (const { record } of endpoints) changes.set(ownerOf(record), undefined)
    await core.engine.apply(changes)
    const before = endpoints.map((endpoint) => ({ endpoint, left: endpoint.record }))
    await forget(core, sandbox)
    for (const { endpoint, left } of before) {
      await releasePorts(endpoint, left)
      await endpoint.network.guardedDriver.afterLeave(endpoint.view(left), endpoint.network.view())
      core.names.changed(endpoint, sandbox)
      await leaveNetwork(endpoint.network, endpoint.id)
      if (endpoint.network.scope === 'global') await core.cluster?.endpoints.publish(endpoint)
      core.events.emit('endpoint:leave', { endpoint, network: endpoint.network, sandbox })
    }
  })
}

async function forget(core: Core, sandbox: Sandbox): Promise<void> {
  const endpoints = sandbox.endpoints
  for (const endpoint of endpoints) {
    await core.leases.release(endpoint, sandbox)
    endpoint.record = withoutSandbox(endpoint.record)
    sandbox.joined.delete(endpoint)
  }
  const { resolver: _resolver, ...rest } = sandbox.record
  sandbox.record = { ...rest, lost: true }
  await save(core, [sandbox.record, ...endpoints.map(({ record }) => record)])
  const message = `sandbox ${sandbox.name}: its namespace ${sandbox.record.namespace} is gone`
  core.events.emit('warning', { message, about: sandbox.id })
}

const exists = (core: Core, namespace: string): Promise<boolean> =>
  core.kernel.checkNamespace(namespace).then(
    () => true,
    (error: unknown) => {
      if (error instanceof CnmError && error.code === 'ERR_CNM_NAMESPACE_NOT_FOUND') return false
      throw error
    },
  )
