import type { EndpointRecord } from '../contracts/records.js'
import { ownerOf, save } from './core.js'
import { describeEndpoint } from './endpoint-description.js'
import type { Endpoint } from './endpoint.js'

/**
 * A joined endpoint with other ports or addresses: described anew, into the store and the kernel, together with the
 * sandbox's default routes. On failure all is as it was. The caller holds the endpoint and its sandbox.
 */
export async function changeJoined(endpoint: Endpoint, record: EndpointRecord): Promise<void> {
  const { core } = endpoint
  const sandbox = endpoint.sandbox!
  const before = endpoint.record
  const next = { ...record, ...(await describeEndpoint(endpoint, record, sandbox)) }
  await save(core, [next])
  endpoint.record = next
  try {
    await core.engine.apply(
      new Map([
        [ownerOf(next), next.description],
        [ownerOf(sandbox.record), sandbox.describe()],
      ]),
    )
  } catch (error) {
    endpoint.record = before
    await save(core, [before])
    throw error
  }
  core.events.emit('endpoint:change', { endpoint, network: endpoint.network })
}

/** Another record of an endpoint, where the kernel is not concerned. */
export async function keepEndpoint(endpoint: Endpoint, record: EndpointRecord): Promise<void> {
  await save(endpoint.core, [record])
  endpoint.record = record
  endpoint.core.events.emit('endpoint:change', { endpoint, network: endpoint.network })
}

/** What must be held while a record of the endpoint is changed. */
export function keysOf(endpoint: Endpoint): string[] {
  const { sandbox } = endpoint.record
  return [`endpoint/${endpoint.id}`, ...(sandbox === undefined ? [] : [`sandbox/${sandbox}`])]
}
