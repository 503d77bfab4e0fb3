import { once } from 'node:events'
import { forgetEndpoints } from './addresses.js'
import { leaveNetwork } from './cluster/presence.js'
import { ownerOf, recordKey, save, type Changes } from './core.js'
import { releasePorts, withoutSandbox } from './endpoint-leave.js'
import type { OperationOptions } from './options.js'
import type { Sandbox } from './sandbox.js'
import { dropUnusedWayOut } from './way-out.js'
import { mountsOf } from './sandbox-mounts/records.js'
import { unmountAll } from './sandbox-mounts/unmount.js'

/** Everything that belongs to the sandbox leaves the kernel in one transaction, then the store in one commit. */
export async function deleteSandbox(sandbox: Sandbox, _options: OperationOptions): Promise<void> {
  const { core } = sandbox
  core.alive()
  await core.turns.take()
  await core.serial.run([`sandbox/${sandbox.id}`], async () => {
    const { record } = sandbox
    if (core.sandboxes.find(record.id) !== sandbox) return
    const deleting = { ...record, phase: 'deleting' as const }
    await save(core, [deleting])
    sandbox.record = deleting
    await tryToRemove(sandbox)
  })
  await dropUnusedWayOut(core)
  core.events.emit('sandbox:delete', { sandbox })
}

/** What fails is tried again; until then the sandbox is there, in phase `deleting`, with its endpoints. */
export async function tryToRemove(sandbox: Sandbox): Promise<void> {
  const about = `sandbox/${sandbox.id}`
  const work = (): Promise<void> => removeSandbox(sandbox)
  await sandbox.core.cleanups.run({ about, what: `sandbox ${sandbox.name}`, keys: [about], work })
}

/** Everything after the word that it is to go. Can be done again from the beginning when it failed. */
async function removeSandbox(sandbox: Sandbox): Promise<void> {
  const { core, record } = sandbox
  if (core.sandboxes.find(record.id) !== sandbox) return
  // Holding the sandbox is enough: whatever changes a joined endpoint waits for its sandbox too.
  const endpoints = sandbox.endpoints
  await core.turns.take()
  await Promise.all(endpoints.map((endpoint) => core.leases.release(endpoint, sandbox)))
  const changes: Changes = new Map([[ownerOf(record), undefined]])
  for (const endpoint of endpoints) changes.set(ownerOf(endpoint.record), undefined)
  await Promise.all([core.names.removeSandbox(sandbox), core.engine.apply(changes)])
  await core.turns.take()
  for (const program of sandbox.programs) program.kill('SIGKILL')
  await leaveMounts(sandbox)
  await sandbox.environment.drop()
  for (const endpoint of endpoints) {
    await endpoint.network.guardedDriver.afterLeave(endpoint.view(), endpoint.network.view())
    await leaveNetwork(endpoint.network, endpoint.id)
    await releasePorts(endpoint, endpoint.record)
  }
  await forgetEndpoints(core, endpoints, [{ delete: recordKey(record) }])
  for (const endpoint of endpoints) {
    sandbox.joined.delete(endpoint)
    endpoint.record = withoutSandbox(endpoint.record)
    core.names.changed(endpoint, sandbox)
    core.events.emit('endpoint:leave', { endpoint, network: endpoint.network, sandbox })
    endpoint.forget()
  }
  core.sandboxes.remove(sandbox)
}

/** Nobody writes to a volume any more when its lease is given back. */
async function leaveMounts(sandbox: Sandbox): Promise<void> {
  if (mountsOf(sandbox).length === 0) return
  await Promise.all([...sandbox.programs].map((program) => once(program, 'exit')))
  await unmountAll(sandbox)
}
