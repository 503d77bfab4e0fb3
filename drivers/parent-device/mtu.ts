import type { HostFacts, NetworkView } from '../../src/contracts/index.js'
import type { ParentOptions } from './options.js'
import { findParent, refusal } from './parent.js'

/** RFC 8200, section 5: the kernel switches IPv6 off on a link with less. */
const MIN_IPV6_MTU = 1280

/** What was asked for, as far as the parent can carry it now. `undefined`: the kernel takes the parent's. */
export function mtuOf(network: NetworkView<ParentOptions>, host: HostFacts): number | undefined {
  const { mtu } = network.options
  if (mtu === 'auto') return undefined
  return Math.min(mtu, findParent(network, host)?.mtu ?? mtu)
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT for an MTU that the parent or IPv6 does not allow */
export function refuseMtu(network: NetworkView<ParentOptions>, host: HostFacts): void {
  const parent = findParent(network, host)
  const { mtu } = network.options
  if (mtu !== 'auto' && parent !== undefined && mtu > parent.mtu) {
    throw refusal('mtu', `an MTU of ${mtu} is more than the ${parent.mtu} of parent ${parent.name}`)
  }
  const inside = mtu === 'auto' ? parent?.mtu : mtu
  if (network.ipv6 && inside !== undefined && inside < MIN_IPV6_MTU)
    throw refusal('mtu', `IPv6 needs an MTU of ${MIN_IPV6_MTU} or more, and this network would have ${inside}`)
}
