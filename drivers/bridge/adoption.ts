import { CnmError, type HostFacts, type HostLink, type NetworkView } from '../../src/contracts/index.js'
import { bridgeName } from './kernel-names.js'
import type { BridgeOptions } from './network-options.js'

/** Decided once, when the network is created: whose the bridge is must not change with what is found later. */
export type BridgeState = {
  /** The bridge was there before: it is never deleted, and keeps its MTU, its sysctls and the addresses it had. */
  adopted: boolean
  /** Addresses that an adopted bridge had already. */
  addresses: string[]
  /** What route_localnet was on the bridge, `0` or `1`. */
  routeLocalnet: string
}

const OWN: BridgeState = { adopted: false, addresses: [], routeLocalnet: '0' }

export const stateOf = (network: NetworkView): BridgeState => (network.state as BridgeState | undefined) ?? OWN

/** The bridge comes and goes with the network. */
export const isOurs = (network: NetworkView<BridgeOptions>): boolean => network.options.mode === 'managed' && !stateOf(network).adopted

/**
 * Creates, adopts or refuses.
 * @throws CnmError ERR_CNM_LINK_EXISTS for a link that is somebody else's or no bridge; ERR_CNM_LINK_NOT_FOUND for a
 *   bridge that should be there and is not
 */
export function decide(network: NetworkView<BridgeOptions>, host: HostFacts, others: readonly NetworkView<BridgeOptions>[]): BridgeState {
  const name = bridgeName(network)
  const rival = others.find((other) => other.id !== network.id && bridgeName(other) === name)
  if (rival !== undefined) throw taken(name, `it is the bridge of network ${rival.name}`)
  const link = host.links.get(name)
  if (link === undefined) {
    if (network.options.mode === 'managed') return OWN
    const wanted = network.options.bridge === undefined ? 'name it with com.docker.network.bridge.name' : `there is no link ${name}`
    throw new CnmError('ERR_CNM_LINK_NOT_FOUND', `mode=unmanaged needs a bridge that exists already: ${wanted}`, {
      field: 'options.com.docker.network.bridge.name',
    })
  }
  if (link.alias === `libcnm:${host.instance}:network/${network.id}`) return OWN
  refuseForeign(network, link)
  return { adopted: true, addresses: [...link.addresses], routeLocalnet: '0' }
}

function refuseForeign(network: NetworkView<BridgeOptions>, link: HostLink): void {
  if (link.alias?.startsWith('libcnm:')) throw taken(link.name, `${link.alias} owns it`)
  if (network.options.bridge === undefined) throw taken(link.name, 'the host has a link of this name already')
  if (link.type !== 'bridge') throw taken(link.name, `it is no bridge but of type ${link.type}`)
}

const taken = (name: string, why: string): CnmError =>
  new CnmError('ERR_CNM_LINK_EXISTS', `bridge ${name} cannot be used: ${why}`, { field: 'options.com.docker.network.bridge.name' })
