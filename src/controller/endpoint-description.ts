import type { KernelObject, RouteObject, SysctlObject } from '../contracts/kernel-objects.js'
import type { EndpointRecord } from '../contracts/records.js'
import { sysctlPath } from './endpoint-options.js'
import type { Endpoint } from './endpoint.js'
import { resolvePlaces } from './places.js'
import type { Sandbox } from './sandbox.js'
import { describeRoutes } from './static-routes.js'

/** What the driver describes, in real namespaces, with what the core itself adds, and without the default routes. */
export async function describeEndpoint(
  endpoint: Endpoint,
  record: EndpointRecord,
  sandbox: Sandbox,
): Promise<Pick<EndpointRecord, 'description' | 'gateways'>> {
  const { core, network } = endpoint
  const description = network.guardedDriver.endpoint(endpoint.view(record), network.view(), await network.facts())
  const at = sandbox.record.namespace
  const context = { instance: core.instance, driver: network.driver, networkId: network.id, sandbox: at }
  const objects: KernelObject[] = []
  const gateways: RouteObject[] = []
  for (const object of resolvePlaces(description, context)) {
    if (object.kind === 'route' && object.at === at && isDefault(object)) gateways.push({ ...object, family: familyOf(object) })
    else objects.push(object)
  }
  if (record.interfaceName !== undefined) {
    const link = record.interfaceName
    objects.push(...describeRoutes([...(network.record.routes ?? []), ...(record.routes ?? [])], record, at))
    for (const address of record.linkLocal)
      objects.push({ kind: 'address', at, link, address, scope: 'link', noDad: address.includes(':') || undefined })
    for (const [name, value] of Object.entries(record.sysctls))
      setSysctl(objects, { kind: 'sysctl', at, path: sysctlPath(name, link), value })
  }
  return { description: withoutIPv6WhereOff(objects, record), gateways }
}

/** The user's word counts, whatever the driver says of the same parameter. */
function setSysctl(objects: KernelObject[], sysctl: SysctlObject): void {
  const index = objects.findIndex((object) => object.kind === 'sysctl' && object.at === sysctl.at && object.path === sysctl.path)
  if (index < 0) objects.push(sysctl)
  else objects[index] = sysctl
}

/** An endpoint sysctl that switches IPv6 off on the interface: the kernel would refuse its IPv6 addresses. */
function withoutIPv6WhereOff(objects: KernelObject[], record: EndpointRecord): KernelObject[] {
  if (record.sysctls['net.ipv6.conf.IFNAME.disable_ipv6'] !== '1') return objects
  return objects.filter((object) => object.kind !== 'address' || object.link !== record.interfaceName || !object.address.includes(':'))
}

const isDefault = ({ destination }: RouteObject): boolean => ['default', '0.0.0.0/0', '::/0'].includes(destination)
const familyOf = (route: RouteObject): 4 | 6 => route.family ?? (route.destination.includes(':') || route.gateway?.includes(':') ? 6 : 4)
