import { CnmError } from '../../contracts/errors.js'
import type { PortView, Publishing } from '../../contracts/network-driver.js'
import type { PortReservation, PublishedPorts } from '../../kernel/index.js'
import type { PortRequest } from './port-requests.js'

export const lastOf = ({ hostPort, hostPortEnd }: PortView): number => hostPortEnd ?? hostPort

export const isSamePort = (a: PortView, b: PortView): boolean =>
  a.protocol === b.protocol && a.hostAddress === b.hostAddress && a.hostPort === b.hostPort && lastOf(a) === lastOf(b)

/** What a request has become, once its first host port is known: one view for each address. */
export function views({ protocol, addresses, containerPort, count }: PortRequest, hostPort: number): PortView[] {
  const port = { protocol, hostPort, ...(count > 1 && { hostPortEnd: hostPort + count - 1 }), containerPort }
  return addresses.map((hostAddress) => ({ ...port, ...(hostAddress !== undefined && { hostAddress }) }))
}

/** The sockets that hold a port: one for every number and address; one for both families where they go together. */
export function reservations(port: PortView, { families }: Publishing): PortReservation[] {
  if (families.length === 0) return []
  const { protocol, hostAddress, hostPort } = port
  const bothFamilies = hostAddress === undefined && families.length > 1
  const address = hostAddress ?? (families.includes(6) ? '::' : '0.0.0.0')
  return Array.from({ length: lastOf(port) - hostPort + 1 }, (_, offset) => ({
    protocol,
    address,
    port: hostPort + offset,
    ...(bothFamilies && { bothFamilies }),
  }))
}

/** The same, as the connection table knows it: by family, with the endpoint's address. */
export function publishedPorts(port: PortView, addresses: readonly string[], { families }: Publishing): PublishedPorts[] {
  return families.flatMap((family) => {
    const version6 = family === 6
    const target = addresses.find((address) => address.includes(':') === version6)?.split('/')[0]
    if (target === undefined || (port.hostAddress !== undefined && port.hostAddress.includes(':') !== version6)) return []
    const everywhere = port.hostAddress === undefined || port.hostAddress === '0.0.0.0' || port.hostAddress === '::'
    const range = { protocol: port.protocol, family, first: port.hostPort, last: lastOf(port), target, targetPort: port.containerPort }
    return [{ ...range, ...(!everywhere && { address: port.hostAddress }) }]
  })
}

/** Whether two host addresses stand in each other's way. */
export function meet(a: string | undefined, b: string): boolean {
  if (a === undefined || a === b || b === '::') return true
  return a.includes(':') === b.includes(':') && (a === '0.0.0.0' || a === '::' || b === '0.0.0.0')
}

/** Some of the ports that an endpoint has published. */
export interface PortSelection {
  host: number
  /** Default: any. */
  protocol?: PortView['protocol']
  address?: string
}

/** @throws CnmError ERR_CNM_PORT_NOT_FOUND */
export function selectPorts(owner: string, ports: readonly PortView[], { host, protocol, address }: PortSelection): PortView[] {
  const found = ports.filter((port) => {
    if (port.hostPort > host || host > lastOf(port)) return false
    return (protocol === undefined || protocol === port.protocol) && (address === undefined || address === port.hostAddress)
  })
  if (found.length > 0) return found
  const what = `${address === undefined ? '' : `${address}:`}${host}${protocol === undefined ? '' : `/${protocol}`}`
  throw new CnmError('ERR_CNM_PORT_NOT_FOUND', `${owner} has not published ${what}`, { field: 'ports' })
}
