import { Address4, Address6 } from 'ip-address'
import { CnmError } from '../contracts/errors.js'
import type { NextHop, Place, RouteObject } from '../contracts/kernel-objects.js'
import type { EndpointRecord, NetworkRecord, StaticRouteRecord } from '../contracts/records.js'
import { contains } from './addresses.js'
import type { GuardedDriver } from './guarded-driver.js'
import type { RouteOptions } from './options.js'

type Families = Pick<NetworkRecord, 'ipv4' | 'ipv6'>

/**
 * Reads the routes that a user wants in sandboxes, for a network or one of its endpoints.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the field; ERR_CNM_NOT_SUPPORTED where endpoints have no interface
 */
export function readRoutes(routes: readonly RouteOptions[] = [], network: Families, driver: GuardedDriver): StaticRouteRecord[] {
  if (routes.length > 0 && !driver.capabilities.interfaces)
    throw new CnmError('ERR_CNM_NOT_SUPPORTED', `routes: endpoints of driver ${driver.name} have no interface`, { field: 'routes' })
  return routes.map((route, index) => readRoute(route, network, `routes[${index}]`))
}

function readRoute(route: RouteOptions, families: Families, field: string): StaticRouteRecord {
  const destination = readDestination(route.destination, `${field}.destination`)
  const version6 = destination.includes(':')
  if (!(version6 ? families.ipv6 : families.ipv4))
    throw refusal(`${field}.destination`, `the network has no IPv${version6 ? 6 : 4}: ${destination} cannot be reached over it`)
  const { type = 'unicast', metric } = route
  const common = { destination, ...(type !== 'unicast' && { type }), ...(metric !== undefined && { metric }) }
  if (type !== 'unicast') {
    const given = (['gateway', 'nextHops'] as const).find((name) => route[name] !== undefined)
    if (given !== undefined) throw refusal(`${field}.${given}`, `a route of type ${type} leads nowhere`)
    return common
  }
  const read = (gateway: string, at: string): string => readGateway(gateway, version6, at)
  if (route.nextHops === undefined) {
    if (route.gateway === undefined) throw refusal(`${field}.gateway`, `a gateway for ${destination}, or several next hops, must be given`)
    return { ...common, gateway: read(route.gateway, `${field}.gateway`) }
  }
  if (route.gateway !== undefined) throw refusal(`${field}.nextHops`, 'either a gateway or next hops, not both')
  if (route.nextHops.length === 0) throw refusal(`${field}.nextHops`, 'expected at least one next hop')
  const nextHops = route.nextHops.map(({ gateway, weight }, index) => ({
    gateway: read(gateway, `${field}.nextHops[${index}].gateway`),
    ...(weight !== undefined && { weight }),
  }))
  return { ...common, nextHops }
}

function readDestination(text: string, field: string): string {
  const [address = '', bits] = text.split('/')
  const Address = text.includes(':') ? Address6 : Address4
  if (bits === undefined || !Address.isValid(text)) throw refusal(field, `${text} is no prefix: 10.20.0.0/16, fd00:20::/64`)
  if (Number(bits) === 0)
    throw refusal(field, 'the default route is that of the network with the highest gatewayPriority; other routes need a longer prefix')
  const first = new Address(text).startAddress()
  if (first.bigInt() !== new Address(address).bigInt())
    throw refusal(field, `${text} has bits set beyond its prefix: ${first.correctForm()}/${bits}?`)
  return `${first.correctForm()}/${bits}`
}

function readGateway(text: string, version6: boolean, field: string): string {
  const Address = version6 ? Address6 : Address4
  if (text.includes('/') || text.includes('%') || !Address.isValid(text))
    throw refusal(field, `${text} is no IPv${version6 ? 6 : 4} address, as the destination is`)
  return new Address(text).correctForm()
}

const refusal = (field: string, message: string): CnmError => new CnmError('ERR_CNM_INVALID_ARGUMENT', `${field}: ${message}`, { field })

const LINK_LOCAL = 'fe80::/10'

/**
 * Routes as they must be in a sandbox. A gateway on the endpoint's own subnets, or a link-local one, is reached over its
 * interface; the kernel finds the way to any other.
 */
export function describeRoutes(routes: readonly StaticRouteRecord[], endpoint: EndpointRecord, at: Place): RouteObject[] {
  const link = endpoint.interfaceName
  const own = (gateway: string): boolean =>
    contains(LINK_LOCAL, gateway) || endpoint.addresses.some(({ address }) => contains(address, gateway))
  const through = (gateway: string): NextHop => ({ gateway, ...(link !== undefined && own(gateway) && { link }) })
  return routes.map(({ gateway, nextHops, ...route }) => ({
    kind: 'route',
    at,
    ...route,
    ...(gateway !== undefined && through(gateway)),
    ...(nextHops && { nextHops: nextHops.map((hop) => ({ ...hop, ...through(hop.gateway) })) }),
  }))
}
