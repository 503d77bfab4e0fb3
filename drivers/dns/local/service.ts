import { NOERROR, NXDOMAIN, TYPE_A, TYPE_AAAA, TYPE_SRV } from '../wire/constants.js'
import { firstLabel, parentOf, type WireName } from '../wire/names.js'
import type { Question } from '../wire/question.js'
import { srvData } from '../wire/record-data.js'
import type { Response } from '../wire/response.js'
import { A_RECORD, AAAA_RECORD } from './addresses.js'
import type { IndexedEndpoint, NameEntry } from './network-index.js'
import type { SandboxNames } from './sandbox-names.js'

/** `_http._tcp.web` (RFC 2782), in lower case. */
export interface ServiceName {
  service: string
  protocol: string
  owner: WireName
}

const UNDERSCORE = 0x5f

export function asService(name: WireName): ServiceName | undefined {
  if (name.charCodeAt(1) !== UNDERSCORE) return undefined
  const rest = parentOf(name)
  if (rest.charCodeAt(1) !== UNDERSCORE) return undefined
  return { service: firstLabel(name).slice(1), protocol: firstLabel(rest).slice(1), owner: parentOf(rest) }
}

/**
 * One SRV record for each endpoint called `owner` that has a port of that name, with the addresses of the targets.
 * A port nobody has is NXDOMAIN: the name is ours, so nobody else is asked.
 */
export function answerService(
  bytes: Buffer,
  question: Question,
  limit: number,
  wanted: ServiceName,
  found: readonly NameEntry[],
  names: SandboxNames,
  response: Response,
): number {
  response.begin(bytes, question, limit)
  const targets: { at: number; endpoint: IndexedEndpoint }[] = []
  let known = false
  for (const endpoint of found.flatMap(inTurn)) {
    for (const port of endpoint.ports) {
      if (port.protocol !== wanted.protocol || port.name.toLowerCase() !== wanted.service) continue
      known = true
      if (question.type !== TYPE_SRV) continue
      const network = names.networks.find((one) => one.has(endpoint))
      const target = endpoint.names[0]! + (network?.name ?? '')
      const at = response.answer(TYPE_SRV, network?.ttl ?? 0, srvData(target, port))
      if (at !== 0) targets.push({ at: at + 6, endpoint })
    }
  }
  for (const { at, endpoint } of targets) addAddresses(at, endpoint, response)
  return response.finish(question, known ? NOERROR : NXDOMAIN, true)
}

function inTurn(entry: NameEntry): IndexedEndpoint[] {
  const first = entry.turn++ % Math.max(entry.endpoints.length, 1)
  return [...entry.endpoints.slice(first), ...entry.endpoints.slice(0, first)]
}

function addAddresses(owner: number, endpoint: IndexedEndpoint, response: Response): void {
  for (const [records, size, type] of [
    [endpoint.a, A_RECORD, TYPE_A],
    [endpoint.aaaa, AAAA_RECORD, TYPE_AAAA],
  ] as const) {
    for (let at = 0; at < records.length; at += size) {
      const ttl = new DataView(records.buffer, records.byteOffset + at + 6, 4).getUint32(0)
      response.additional(owner, type, ttl, records.subarray(at + 12, at + size))
    }
  }
}
