import { CnmError } from '../contracts/errors.js'
import type { PortView, Publishing } from '../contracts/network-driver.js'
import type { EndpointRecord } from '../contracts/records.js'
import { changeJoined, keepEndpoint } from './endpoint-change.js'
import { serialised } from './endpoint-serial.js'
import type { Endpoint } from './endpoint.js'
import type { PortOptions } from './options.js'
import type { PortOwner } from './ports.js'
import type { PortSelection } from './ports/port-views.js'
import { gatewayEndpoint, settleWayOut } from './way-out.js'

export const portOwner = (endpoint: Endpoint): PortOwner => ({
  id: endpoint.id,
  name: `endpoint ${endpoint.name} of network ${endpoint.network.name}`,
})

export const publishingOf = (endpoint: Endpoint, record: EndpointRecord): Publishing =>
  endpoint.network.guardedDriver.publishing(endpoint.view(record), endpoint.network.view())

/** @throws CnmError ERR_CNM_NOT_SUPPORTED when the driver publishes no ports */
export function refusePorts(
  endpointName: string,
  ports: readonly PortOptions[],
  driver: { name: string; capabilities: { publishesPorts: boolean } },
): void {
  if (ports.length === 0 || driver.capabilities.publishesPorts) return
  throw new CnmError('ERR_CNM_NOT_SUPPORTED', `endpoint ${endpointName}: driver ${driver.name} publishes no ports`, { field: 'ports' })
}

/** Publishes more ports of an endpoint, at once if it is joined, else when it joins. */
export async function publishPorts(endpoint: Endpoint, ports: readonly PortOptions[]): Promise<PortView[]> {
  const { core } = endpoint
  if (isThroughGateway(endpoint)) return publishThroughGateway(endpoint, [...endpoint.record.wantedPorts, ...ports])
  refusePorts(endpoint.name, ports, endpoint.network.guardedDriver)
  return serialised(endpoint, async () => {
    const wantedPorts = [...endpoint.record.wantedPorts, ...ports]
    if (endpoint.record.sandbox === undefined) {
      await keepEndpoint(endpoint, { ...endpoint.record, wantedPorts })
      return []
    }
    const owner = portOwner(endpoint)
    const added = await core.ports.publish(owner, ports, publishingOf(endpoint, endpoint.record))
    try {
      await changeJoined(endpoint, { ...endpoint.record, wantedPorts, ports: [...endpoint.record.ports, ...added] })
    } catch (error) {
      await core.ports.withdraw(owner, added)
      throw error
    }
    await openPorts(endpoint, added)
    return added
  })
}

/** Withdraws published ports of a joined endpoint. @throws CnmError ERR_CNM_PORT_NOT_FOUND */
export async function unpublishPorts(endpoint: Endpoint, selections: readonly PortSelection[]): Promise<void> {
  const { core } = endpoint
  if (isThroughGateway(endpoint)) {
    const gateway = gatewayEndpoint(endpoint.sandbox!)
    const leaving = gateway === undefined ? [] : core.ports.find(portOwner(gateway), selections)
    const isLeft = (wanted: PortOptions): boolean =>
      !leaving.some((port) => wanted.container === port.containerPort && (wanted.protocol ?? 'tcp') === port.protocol)
    await publishThroughGateway(endpoint, endpoint.record.wantedPorts.filter(isLeft))
    return
  }
  await serialised(endpoint, async () => {
    const owner = portOwner(endpoint)
    const leaving = core.ports.find(owner, selections)
    const ports = endpoint.record.ports.filter((port) => !leaving.some((other) => same(other, port)))
    const wantedPorts = endpoint.record.wantedPorts.filter(
      (wanted) => !leaving.some((port) => wanted.container === port.containerPort && (wanted.protocol ?? 'tcp') === port.protocol),
    )
    await changeJoined(endpoint, { ...endpoint.record, wantedPorts, ports })
    await forgetConnections(endpoint, leaving)
    await core.ports.withdraw(owner, leaving)
  })
}

/** After the rules of ports came: old connections are led to them, and what no rule can lead is served. */
export async function openPorts(endpoint: Endpoint, ports: readonly PortView[], record = endpoint.record): Promise<void> {
  if (ports.length === 0) return
  await forgetConnections(endpoint, ports, record)
  await endpoint.core.ports.serve(endpoint)
}

/** After the rules of ports came or went: old connections are led anew. */
export async function forgetConnections(endpoint: Endpoint, ports: readonly PortView[], record = endpoint.record): Promise<void> {
  if (ports.length === 0) return
  await endpoint.core.ports.forgetConnections(
    ports,
    record.addresses.map(({ address }) => address),
    publishingOf(endpoint, record),
  )
}

const same = (a: PortView, b: PortView): boolean =>
  a.protocol === b.protocol && a.hostAddress === b.hostAddress && a.hostPort === b.hostPort

const isThroughGateway = ({ network, record }: Endpoint): boolean =>
  record.sandbox !== undefined && network.guardedDriver.capabilities.outside === 'gateway-network'

/** Its network has no way out: the host publishes its ports on the way out that its sandbox got. Returns all that are published. */
async function publishThroughGateway(endpoint: Endpoint, wantedPorts: EndpointRecord['wantedPorts']): Promise<PortView[]> {
  const sandbox = endpoint.sandbox!
  await serialised(endpoint, () => keepEndpoint(endpoint, { ...endpoint.record, wantedPorts }))
  await settleWayOut(sandbox)
  return [...endpoint.ports]
}
