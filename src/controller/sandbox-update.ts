import type { EndpointRecord, SandboxRecord } from '../contracts/records.js'
import { save } from './core.js'
import { reserveName } from './endpoint-create.js'
import { renameInCluster } from './endpoint-update.js'
import type { Endpoint } from './endpoint.js'
import { checkName } from './identifiers.js'
import { mergedTexts } from './merged-texts.js'
import type { SandboxChanges } from './options.js'
import type { Sandbox } from './sandbox.js'
import { undoable, type Undo } from './undo.js'
import { validSandboxChanges } from './validation.js'

/**
 * Gives a sandbox another name, other name servers, hosts or labels, while programs run in it. Its endpoints that have
 * its name get the new one too: others find it under that, and no longer under the old one. Its host name stays: running
 * programs have it.
 */
export async function updateSandbox(sandbox: Sandbox, input: SandboxChanges): Promise<void> {
  const { core } = sandbox
  core.alive()
  const changes = validSandboxChanges(input)
  if (changes.name !== undefined) checkName(changes.name, 'sandbox')
  await core.serial.run([`sandbox/${sandbox.id}`], () =>
    undoable(async (undo) => {
      sandbox.refuseGone()
      const { record: before } = sandbox
      const record = changed(before, changes)
      const renamed = record.name === before.name ? [] : await rename(sandbox, record.name, undo)
      const endpoints = renamed.map(({ record: endpoint }): EndpointRecord => ({ ...endpoint, name: record.name }))
      await save(core, [record, ...endpoints])
      sandbox.record = record
      if (record.name !== before.name) core.sandboxes.renamed(sandbox, before.name)
      for (const endpoint of renamed) takeName(endpoint, record.name)
      for (const endpoint of sandbox.endpoints) {
        core.names.changed(endpoint, sandbox)
        if (endpoint.network.scope === 'global') await core.cluster?.endpoints.publish(endpoint)
      }
      await sandbox.environment.refresh()
      for (const endpoint of renamed) core.events.emit('endpoint:change', { endpoint, network: endpoint.network })
    }),
  )
  core.events.emit('sandbox:change', { sandbox })
}

/** Takes the new name wherever it is needed. @returns the endpoints that get it */
async function rename(sandbox: Sandbox, name: string, undo: Undo): Promise<Endpoint[]> {
  const { core } = sandbox
  core.sandboxes.reserve(name)
  undo.push(() => core.sandboxes.release(name))
  const endpoints = sandbox.endpoints.filter((endpoint) => endpoint.name === sandbox.name)
  const reserved = new Set<Endpoint['network']>()
  for (const endpoint of endpoints) {
    const { network, record } = endpoint
    if (reserved.has(network)) continue
    reserveName(network, name)
    reserved.add(network)
    undo.push(() => network.endpointsByName.delete(name))
    await renameInCluster(endpoint, { ...record, name }, undo)
  }
  return endpoints
}

function takeName(endpoint: Endpoint, name: string): void {
  const { endpointsByName } = endpoint.network
  endpointsByName.delete(endpoint.name)
  endpointsByName.set(name, endpoint)
  endpoint.record = { ...endpoint.record, name }
}

function changed(before: SandboxRecord, { name = before.name, dns, extraHosts, labels }: SandboxChanges): SandboxRecord {
  return {
    ...before,
    name,
    dns: {
      servers: [...(dns?.servers ?? before.dns.servers)],
      search: [...(dns?.search ?? before.dns.search)],
      options: [...(dns?.options ?? before.dns.options)],
    },
    extraHosts: mergedTexts(before.extraHosts, extraHosts ?? {}),
    labels: mergedTexts(before.labels, labels ?? {}),
  }
}
