import { CnmError } from '../contracts/errors.js'
import type { PortRequestRecord } from '../contracts/records.js'
import { canonical } from '../engine/canonical.js'
import type { Core } from './core.js'
import { createEndpoint } from './endpoint-create.js'
import type { Endpoint } from './endpoint.js'
import { shortId } from './identifiers.js'
import { createNetwork } from './network-create.js'
import type { Network } from './network.js'
import type { Sandbox } from './sandbox.js'

/** Any other default route is preferred. */
const LAST = -(2 ** 31)

/**
 * Sandboxes on networks that have no way out of their own get one: an endpoint on a bridge network of the host, on which
 * they do not see one another. It publishes their ports too. It comes when it is needed, and goes when it is not.
 */
export async function settleWayOut(sandbox: Sandbox): Promise<void> {
  const { core } = sandbox
  const before = gatewayEndpoint(sandbox)
  if (before === undefined && !sandbox.endpoints.some(needsWayOut)) return
  await core.serial.run([`way-out/${sandbox.id}`], async () => {
    const gateway = gatewayEndpoint(sandbox)
    const wanting = sandbox.endpoints.filter(needsWayOut)
    const ports = wanting.flatMap(({ record }) => record.wantedPorts)
    const isNeeded = wanting.length > 0 && sandbox.record.phase === 'ready' && (ports.length > 0 || !hasOtherDefault(sandbox))
    if (!isNeeded) {
      await gateway?.delete({ force: true })
      await dropUnusedWayOut(core)
    } else if (gateway === undefined) await join(sandbox, ports)
    else if (canonical(gateway.record.wantedPorts) !== canonical(ports)) await republish(gateway, ports)
  })
}

/** After a start: an operation that was interrupted may have left a sandbox without. */
export async function settleWaysOut(core: Core): Promise<void> {
  for (const sandbox of core.sandboxes.list()) {
    try {
      await settleWayOut(sandbox)
    } catch (error) {
      const message = `sandbox ${sandbox.name}: no way out: ${error instanceof Error ? error.message : String(error)}`
      core.events.emit('warning', { message, about: sandbox.id })
    }
  }
  await dropUnusedWayOut(core)
}

/** The endpoint through which a sandbox's ports are published for networks that have no way out. */
export const gatewayEndpoint = (sandbox: Sandbox): Endpoint | undefined => sandbox.endpoints.find(({ network }) => network.record.gateway)

export const needsWayOut = ({ network }: Endpoint): boolean =>
  network.guardedDriver.capabilities.outside === 'gateway-network' && !network.internal

const hasOtherDefault = ({ endpoints }: Sandbox): boolean =>
  endpoints.some(({ network, record }) => !network.record.gateway && record.gateways.length > 0)

/** @throws CnmError ERR_CNM_NOT_SUPPORTED where published ports could not be answered */
export function refuseUnanswerable(endpoint: Endpoint, sandbox: Sandbox): void {
  if (endpoint.record.wantedPorts.length === 0 || endpoint.network.guardedDriver.capabilities.outside === 'own') return
  const object = `endpoint ${endpoint.name}`
  if (endpoint.network.internal)
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `network ${endpoint.network.name} is internal: nothing outside can reach a port on it`, {
      object,
      field: 'ports',
    })
  if (!hasOtherDefault(sandbox)) return
  throw new CnmError(
    'ERR_CNM_NOT_SUPPORTED',
    `sandbox ${sandbox.name} has its default route through another network: publish the ports on its endpoint there`,
    { object, field: 'ports' },
  )
}

async function join(sandbox: Sandbox, ports: PortRequestRecord[]): Promise<void> {
  const network = await gatewayNetwork(sandbox.core)
  const endpoint = await createEndpoint(network, { name: `gateway_${shortId(sandbox.id)}`, ports, gatewayPriority: LAST }, 'creating')
  try {
    await endpoint.join(sandbox)
  } catch (error) {
    await endpoint.delete()
    throw error
  }
}

async function republish(gateway: Endpoint, ports: PortRequestRecord[]): Promise<void> {
  if (gateway.record.ports.length > 0)
    await gateway.unpublish(gateway.record.ports.map(({ hostPort, protocol }) => ({ host: hostPort, protocol })))
  if (ports.length > 0) await gateway.publish(ports)
}

/** One for the whole host, made when the first sandbox needs it. */
function gatewayNetwork(core: Core): Promise<Network> {
  return core.serial.run(['gateway-network'], async () => {
    const found = core.networks.list().find(({ record }) => record.gateway && record.phase === 'ready')
    if (found !== undefined) return found
    const { ipv6 } = await core.hostFacts([])
    const options = { 'com.docker.network.bridge.enable_icc': 'false' }
    return createNetwork(core, { name: `${core.instance}_gwbridge`, driver: 'bridge', enableIPv6: ipv6, options }, { gateway: true })
  })
}

/** The host's bridge for ways out goes with the last of them. */
export async function dropUnusedWayOut(core: Core): Promise<void> {
  if (!core.networks.list().some(({ record }) => record.gateway)) return
  await core.serial.run(['gateway-network'], async () => {
    for (const network of core.networks.list()) if (network.record.gateway && network.endpointsByName.size === 0) await network.delete()
  })
}
