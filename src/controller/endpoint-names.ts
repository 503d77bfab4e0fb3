import type { EndpointRecord } from '../contracts/records.js'
import { isDnsName, shortId } from './identifiers.js'
import type { Sandbox } from './sandbox.js'

/** Every name under which others find an endpoint on its network, its own first. */
export function namesOf(record: EndpointRecord, sandbox: Sandbox | undefined): string[] {
  const names = [record.name]
  if (sandbox !== undefined) {
    const { hostname, hostnameGiven } = sandbox.record
    names.push(sandbox.name, shortId(sandbox.id), ...(hostnameGiven ? [hostname] : []))
  }
  return [...new Set([...names, ...record.aliases])].filter(isDnsName)
}
