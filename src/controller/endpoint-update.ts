import { CnmError } from '../contracts/errors.js'
import type { EndpointRecord } from '../contracts/records.js'
import { clusterOf } from './cluster/network-create.js'
import { reserveName } from './endpoint-create.js'
import { changeJoined, keepEndpoint } from './endpoint-change.js'
import { serialKeys } from './endpoint-serial.js'
import type { Endpoint } from './endpoint.js'
import { checkDnsName, checkName } from './identifiers.js'
import { mergedTexts } from './merged-texts.js'
import type { EndpointChanges } from './options.js'
import { undoable, type Undo } from './undo.js'
import { validEndpointChanges } from './validation.js'

/** Gives an endpoint other names, services or labels, while programs use it: what others ask from then on gets the new ones. */
export async function updateEndpoint(endpoint: Endpoint, input: EndpointChanges): Promise<void> {
  const { core, network } = endpoint
  core.alive()
  const changes = validEndpointChanges(input)
  if (changes.name !== undefined) checkName(changes.name, 'endpoint')
  for (const alias of changes.aliases ?? []) checkDnsName(alias, 'aliases')
  await core.serial.run(serialKeys(endpoint), () =>
    undoable(async (undo) => {
      refuseGone(endpoint)
      const { name: before } = endpoint
      const record = changed(endpoint.record, changes)
      if (record.name !== before) {
        reserveName(network, record.name)
        undo.push(() => network.endpointsByName.delete(record.name))
        await renameInCluster(endpoint, record, undo)
      }
      await (endpoint.record.sandbox === undefined ? keepEndpoint : changeJoined)(endpoint, record)
      network.endpointsByName.delete(before)
      network.endpointsByName.set(record.name, endpoint)
      if (network.scope === 'global') await core.cluster?.endpoints.publish(endpoint)
      const { sandbox } = endpoint
      if (sandbox === undefined) return
      core.names.changed(endpoint, sandbox)
      await sandbox.environment.refresh()
    }),
  )
}

/**
 * On a network of the cluster the name is taken there first.
 * @throws CnmError ERR_CNM_ENDPOINT_EXISTS when an endpoint on another host has it, ERR_CNM_CLUSTER_UNREACHABLE
 */
export async function renameInCluster(endpoint: Endpoint, record: EndpointRecord, undo: Undo): Promise<void> {
  const { core, network } = endpoint
  if (network.scope !== 'global') return
  const cluster = clusterOf(core, `driver ${network.driver}`)
  undo.push(() => cluster.orLater(() => cluster.endpoints.agree(endpoint)))
  await cluster.endpoints.agree(endpoint, record)
}

function changed(before: EndpointRecord, { name, aliases, services, labels }: EndpointChanges): EndpointRecord {
  return {
    ...before,
    name: name ?? before.name,
    aliases: aliases ?? before.aliases,
    services: services?.map((service) => ({ ...service, protocol: service.protocol ?? 'tcp' })) ?? before.services,
    labels: mergedTexts(before.labels, labels ?? {}),
  }
}

function refuseGone(endpoint: Endpoint): void {
  if (endpoint.core.endpoints.get(endpoint.id) === endpoint) return
  throw new CnmError('ERR_CNM_ENDPOINT_NOT_FOUND', `endpoint ${endpoint.name} is gone`, { object: `endpoint ${endpoint.name}` })
}
