import { CnmError } from '../contracts/errors.js'
import type { EndpointRecord } from '../contracts/records.js'
import { reserveName } from './endpoint-create.js'
import { changeJoined, keepEndpoint } from './endpoint-change.js'
import { serialKeys } from './endpoint-serial.js'
import type { Endpoint } from './endpoint.js'
import { checkDnsName, checkName } from './identifiers.js'
import { mergedTexts } from './merged-texts.js'
import type { Network } from './network.js'
import type { EndpointChanges } from './options.js'
import { undoable } from './undo.js'
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
        refuseGlobal(network, before)
        reserveName(network, record.name)
        undo.push(() => network.endpointsByName.delete(record.name))
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

/** The cluster knows the endpoint by its name. @throws CnmError ERR_CNM_NOT_SUPPORTED */
export function refuseGlobal(network: Network, name: string): void {
  if (network.scope !== 'global') return
  throw new CnmError(
    'ERR_CNM_NOT_SUPPORTED',
    `endpoint ${name} of network ${network.name}: on a network of the cluster it keeps its name`,
    {
      object: `endpoint ${name}`,
      field: 'name',
    },
  )
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
