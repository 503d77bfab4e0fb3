import type { Description, HostFacts, KernelObject, LinkObject, NetworkView, SysctlObject } from '../../src/contracts/index.js'
import { isOurs, stateOf } from './adoption.js'
import { FORWARDING, forwardedFamilies } from './forwarding.js'
import { gatewayMode } from './gateway-mode.js'
import { bridgeMac, bridgeName } from './kernel-names.js'
import { mtuOf } from './mtu.js'
import type { BridgeOptions } from './network-options.js'

/** Every bridge has the same address on its own link, so that endpoints know their router without asking. */
const ROUTER_LINK_LOCAL = 'fe80::1/64'

/** What must exist while a bridge network does. */
export function describeNetwork(network: NetworkView<BridgeOptions>, host: HostFacts): Description {
  if (network.options.mode === 'unmanaged') return []
  return [bridge(network, host), ...addresses(network), ...bridgeSysctls(network, host), ...forwarding(network, host)]
}

function bridge(network: NetworkView<BridgeOptions>, host: HostFacts): LinkObject {
  const name = bridgeName(network)
  const mtu = mtuOf(network, host)
  if (isOurs(network)) {
    const { vrf, vlan } = network.options
    return {
      kind: 'link',
      at: 'host',
      type: 'bridge',
      name,
      mac: bridgeMac(network),
      ...(mtu !== undefined && { mtu }),
      ...(vrf !== undefined && { master: vrf }),
      // The default VLAN is that of every port, and of the bridge itself.
      ...(vlan !== undefined && { bridge: { vlanFiltering: true, vlanDefaultPvid: vlan } }),
      ipv6AddressGeneration: 'none',
    }
  }
  return { kind: 'link', at: 'host', type: 'existing', name }
}

function addresses(network: NetworkView<BridgeOptions>): KernelObject[] {
  const had = new Set(stateOf(network).addresses)
  const link = bridgeName(network)
  const wanted: string[] = []
  for (const { subnet, family, gateway } of network.subnets) {
    if (gateway === undefined || (family === 4 && network.options.inhibitIpv4)) continue
    wanted.push(`${gateway}/${subnet.split('/')[1]}`)
  }
  if (reachesHost(network, 6) && isOurs(network) && !wanted.includes(ROUTER_LINK_LOCAL)) wanted.push(ROUTER_LINK_LOCAL)
  return wanted
    .filter((address) => !had.has(address))
    .map((address) => ({ kind: 'address', at: 'host', link, address, ...(address.includes(':') && { noDad: true }) }))
}

/** Whether the host itself takes part in this family of the network. */
const reachesHost = (network: NetworkView<BridgeOptions>, family: 4 | 6): boolean =>
  !['none', 'isolated'].includes(gatewayMode(network, family))

/** A bridge of ours takes no part in the autoconfiguration of whoever sits on it. */
function bridgeSysctls(network: NetworkView<BridgeOptions>, host: HostFacts): SysctlObject[] {
  if (!isOurs(network) || !host.ipv6) return []
  const at = `net/ipv6/conf/${bridgeName(network)}`
  if (!reachesHost(network, 6)) return [sysctl(`${at}/disable_ipv6`, '1')]
  return [sysctl(`${at}/disable_ipv6`, '0'), sysctl(`${at}/accept_ra`, '0')]
}

function forwarding(network: NetworkView<BridgeOptions>, host: HostFacts): SysctlObject[] {
  const sysctls: SysctlObject[] = []
  for (const family of forwardedFamilies(network)) {
    const uplink = host.defaultRoute[6]
    // Must come first: a host that forwards drops what routers told it, except with this value.
    if (family === 6 && uplink?.advertised) sysctls.push(sysctl(`net/ipv6/conf/${uplink.link}/accept_ra`, '2'))
    sysctls.push(sysctl(FORWARDING[family], '1'))
  }
  return sysctls
}

const sysctl = (path: string, value: string): SysctlObject => ({ kind: 'sysctl', at: 'host', path, value })
