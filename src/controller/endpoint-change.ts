import type { EndpointRecord } from '../contracts/records.js'
import { ownerOf, save } from './core.js'
import { describeEndpoint } from './endpoint-description.js'
import type { Endpoint } from './endpoint.js'
import { replaceDescriptions } from './replace-descriptions.js'

/**
 * A joined endpoint with other ports or addresses: described anew, into the store and the kernel, together with the
 * sandbox's default routes. On failure all is as it was. The caller holds the endpoint and its sandbox.
 */
export async function changeJoined(endpoint: Endpoint, record: EndpointRecord): Promise<void> {
  await replaceJoined(endpoint, { ...record, ...(await describeEndpoint(endpoint, record, endpoint.sandbox!)) })
}

/** The same, where the new description is known. */
export async function replaceJoined(endpoint: Endpoint, next: EndpointRecord): Promise<void> {
  const { core } = endpoint
  const sandbox = endpoint.sandbox!
  const before = endpoint.record
  endpoint.record = next
  try {
    await replaceDescriptions(core, [{ before, after: next }], new Map([[ownerOf(sandbox.record), sandbox.describe()]]))
  } catch (error) {
    endpoint.record = before
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
