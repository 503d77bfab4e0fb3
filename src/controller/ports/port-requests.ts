import { isIPv4, isIPv6 } from 'node:net'
import { CnmError } from '../../contracts/errors.js'
import type { PortView, Publishing } from '../../contracts/network-driver.js'
import type { PortOptions } from '../options.js'

/** What one request asks of the host. */
export interface PortRequest {
  protocol: PortView['protocol']
  /** One view is made for each; `undefined`: every address of every family. */
  addresses: (string | undefined)[]
  containerPort: number
  /** Ports in a row. */
  count: number
  /** First ports that will do; absent: any free one. */
  candidates?: number[]
}

const MAX_PORT = 65535

/**
 * Reads requests as users write them.
 * @param publishing the families in which host ports are taken at all
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the field
 */
export function readRequests(options: readonly PortOptions[], publishing: Publishing): PortRequest[] {
  return options.map((option, index) => readRequest(option, publishing, `ports[${index}]`))
}

function readRequest(option: PortOptions, publishing: Publishing, field: string): PortRequest {
  const { container, containerEnd = container, host, hostEnd } = option
  const count = containerEnd - container + 1
  if (count < 1) throw refusal(`${field}.containerEnd`, `${containerEnd} comes before ${container}`)
  if (hostEnd !== undefined && host === undefined) throw refusal(`${field}.hostEnd`, 'a last host port needs a first one')
  const request = { protocol: option.protocol ?? ('tcp' as const), containerPort: container, count }
  // Where nothing is translated, the endpoint's own port is what the world sees.
  if (publishing.families.length === 0) return { ...request, addresses: [undefined], candidates: [container] }
  const addresses = readAddresses(option.address ?? publishing.address, publishing, `${field}.address`)
  if (host === undefined) return { ...request, addresses }
  return { ...request, addresses, candidates: candidates(host, hostEnd, count, field) }
}

/** First ports to try: one for an exact request, several when one port may be any of a range. */
function candidates(host: number, hostEnd: number | undefined, count: number, field: string): number[] {
  const last = hostEnd ?? host + count - 1
  if (last > MAX_PORT) throw refusal(`${field}.host`, `a range of ${count} from ${host} goes beyond ${MAX_PORT}`)
  const room = last - host + 1
  if (room < 1) throw refusal(`${field}.hostEnd`, `${last} comes before ${host}`)
  if (room < count || (count > 1 && room !== count)) {
    throw refusal(
      `${field}.hostEnd`,
      `${count} container port${count === 1 ? '' : 's'} cannot be mapped to ${room} host port${room === 1 ? '' : 's'}`,
    )
  }
  return Array.from({ length: room - count + 1 }, (_, offset) => host + offset)
}

function readAddresses(address: string | string[] | undefined, { families, proxied }: Publishing, field: string): (string | undefined)[] {
  const listed = address === undefined ? [undefined] : [address].flat().map((each) => readAddress(each, field))
  for (const each of listed) {
    if (each === undefined) continue
    const family = each.includes(':') ? 6 : 4
    if (families.includes(family) || proxied?.family === family) continue
    throw refusal(field, `nothing would answer on ${each}: the endpoint has no IPv${family} address that ports are translated to`)
  }
  return [...new Set(listed)]
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i

function readAddress(address: string, field: string): string {
  const mapped = MAPPED.exec(address)?.[1]
  if (mapped !== undefined && isIPv4(mapped)) return mapped
  if (isIPv4(address)) return address
  if (isIPv6(address) && !address.includes('%')) return canonicalIPv6(address)
  throw refusal(field, `${address} is not an address of a host`)
}

/** RFC 5952, as the URL parser writes it. */
const canonicalIPv6 = (address: string): string => new URL(`http://[${address}]/`).hostname.slice(1, -1)

const refusal = (field: string, message: string): CnmError => new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${message}`, { field })
