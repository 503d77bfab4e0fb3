import { CnmError } from '../../contracts/errors.js'
import type { PortView, Publishing } from '../../contracts/network-driver.js'
import type { PortReservation, PublishedPorts } from '../../kernel/index.js'
import type { PortRequest } from './port-requests.js'
import type { ProxyTarget } from './proxy/messages.js'

export const lastOf = ({ hostPort, hostPortEnd }: PortView): number => hostPortEnd ?? hostPort

export const isSamePort = (a: PortView, b: PortView): boolean =>
  a.protocol === b.protocol && a.hostAddress === b.hostAddress && a.hostPort === b.hostPort && lastOf(a) === lastOf(b)

/** What a request has become, once its first host port is known: one view for each address. */
export function views({ protocol, addresses, containerPort, count }: PortRequest, hostPort: number): PortView[] {
  const port = { protocol, hostPort, ...(count > 1 && { hostPortEnd: hostPort + count - 1 }), containerPort }
  return addresses.map((hostAddress) => ({ ...port, ...(hostAddress !== undefined && { hostAddress }) }))
}

/** The sockets that hold a port: one for every number and address; one for both families where they go together. */
export function reservations(port: PortView, publishing: Publishing): PortReservation[] {
  const { families } = publishing
  if (families.length === 0) return []
  const { protocol, hostAddress, hostPort } = port
  const served = proxyFamily(port, publishing)
  const bothFamilies = hostAddress === undefined && families.length > 1
  const held: Omit<PortReservation, 'protocol' | 'port'>[] = []
  if (hostAddress === undefined || families.includes(familyOf(hostAddress)))
    held.push({ address: hostAddress ?? WILDCARD[families.includes(6) ? 6 : 4], ...(bothFamilies && { bothFamilies }) })
  if (served !== undefined) held.push({ address: hostAddress ?? WILDCARD[served], served: true })
  return Array.from({ length: lastOf(port) - hostPort + 1 }, (_, offset) =>
    held.map((each) => ({ protocol, port: hostPort + offset, ...each })),
  ).flat()
}

const WILDCARD = { 4: '0.0.0.0', 6: '::' } as const
const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4)

/** The family in which a port is handed on by the proxy, if it is. */
function proxyFamily({ protocol, hostAddress }: PortView, { proxied }: Publishing): 4 | 6 | undefined {
  if (proxied === undefined || protocol === 'sctp') return undefined
  return hostAddress === undefined || familyOf(hostAddress) === proxied.family ? proxied.family : undefined
}

/** Where the proxy hands on what comes to a reserved port. */
export function proxyTarget(port: PortView, { proxied }: Publishing, reservation: PortReservation): ProxyTarget | undefined {
  if (!reservation.served || proxied === undefined || port.protocol === 'sctp') return undefined
  return { protocol: port.protocol, address: proxied.to, port: port.containerPort + reservation.port - port.hostPort }
}

/**
 * How packets get from a port of the host to the endpoint: rewritten by the kernel (`translated`), or handed on by this
 * process while the controller is open (`proxied`). `direct`: no port of the host is taken, the endpoint's own address
 * is what clients use.
 */
export type PortWay = 'translated' | 'proxied' | 'direct'

/** A published port, and which way it goes in each family; a family is absent where it is not published. */
export type PublishedPort = PortView & { ways: { ipv4?: PortWay; ipv6?: PortWay } }

export function publishedPort(port: PortView, addresses: readonly { family: 4 | 6 }[], publishing: Publishing): PublishedPort {
  const way = (family: 4 | 6): PortWay | undefined => {
    if (proxyFamily(port, publishing) === family) return 'proxied'
    if (!addresses.some((each) => each.family === family)) return undefined
    if (!publishing.families.includes(family)) return 'direct'
    return port.hostAddress === undefined || familyOf(port.hostAddress) === family ? 'translated' : undefined
  }
  const [ipv4, ipv6] = [way(4), way(6)]
  return { ...port, ways: { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) } }
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
