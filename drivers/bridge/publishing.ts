import { CnmError, type EndpointView, type NetworkView, type Publishing } from '../../src/contracts/index.js'
import type { BridgeEndpointOptions } from './endpoint-options.js'
import { target } from './firewall/port-elements.js'
import { translates } from './gateway-mode.js'
import type { BridgeOptions } from './network-options.js'

/**
 * Ports are published on the host in the families that translate addresses. In the others they are opened on the
 * endpoint's own address, and take no port of the host.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT where nothing can be published
 */
export function publishing(
  endpoint: EndpointView<BridgeEndpointOptions>,
  network: NetworkView<BridgeOptions>,
  hasRules: boolean,
): Publishing {
  if (network.internal) throw refusal(`network ${network.name} is internal: nothing outside can reach a port on it`)
  if (!hasRules) throw refusal(`network ${network.name} has no rules to publish ports with (mode=unmanaged, or a driver without firewall)`)
  const families = ([4, 6] as const).filter(
    (family) => translates(network, family) && endpoint.addresses.some((each) => each.family === family),
  )
  const address = network.options.hostBinding
  const proxied = network.options.proxy ? proxiedFamily(endpoint, families) : undefined
  return { families, ...(address !== undefined && address !== '0.0.0.0' && { address }), ...(proxied && { proxied }) }
}

/** The family that the endpoint has no address of, and the address that it has. */
function proxiedFamily(endpoint: EndpointView<BridgeEndpointOptions>, families: readonly (4 | 6)[]): Publishing['proxied'] {
  const [own] = families
  const family = own === 4 ? 6 : 4
  if (own === undefined || endpoint.addresses.some((each) => each.family === family)) return undefined
  return { family, to: target(endpoint, own)! }
}

const refusal = (message: string): CnmError => new CnmError('ERR_CNM_INVALID_ARGUMENT', message, { field: 'ports' })
