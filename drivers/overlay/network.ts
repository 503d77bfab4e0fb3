import type { Description, HostFacts, KernelObject, NetworkView, SysctlObject } from '../../src/contracts/index.js'
import { describeGuard } from './encryption.js'
import { bridgeName, gatewayMac, SPACE, vxlanName } from './kernel-names.js'
import { mtuOf } from './mtu.js'
import { DEFAULT_PORT, type OverlayOptions } from './network-options.js'
import { segmentsOf, type Segment } from './segments.js'

type Network = NetworkView<OverlayOptions>

/** What exists on a host while something there is on the network: a namespace with a bridge and a VXLAN for each segment. */
export function describeNetwork(network: Network, host: HostFacts): Description {
  return [
    ...(network.options.encrypted ? describeGuard(network, host) : []),
    ...forwarding(network, host),
    ...segmentsOf(network).flatMap((segment) => describeSegment(network, segment, host)),
  ]
}

/** Between its subnets the network routes by itself, on every host. */
function forwarding(network: Network, host: HostFacts): SysctlObject[] {
  return [
    ...(network.ipv4 ? [sysctl('net/ipv4/ip_forward', '1')] : []),
    ...(network.ipv6 && host.ipv6 ? [sysctl('net/ipv6/conf/all/forwarding', '1')] : []),
  ]
}

function describeSegment(network: Network, segment: Segment, host: HostFacts): KernelObject[] {
  const bridge = bridgeName(segment)
  const mtu = mtuOf(network, host)
  return [
    {
      kind: 'link',
      at: SPACE,
      type: 'bridge',
      name: bridge,
      mac: gatewayMac(network, segment),
      mtu,
      ipv6AddressGeneration: 'none',
      // Groups are not followed: what is sent to many reaches who is here, and nobody else.
      bridge: { multicastSnooping: false },
    },
    ...vxlan(network, segment, host, mtu),
    ...bridgeSysctls(network, bridge, host),
    ...segment.subnets.flatMap(({ subnet, gateway }): KernelObject[] =>
      gateway === undefined
        ? []
        : [
            {
              kind: 'address',
              at: SPACE,
              link: bridge,
              address: `${gateway}/${subnet.split('/')[1]}`,
              ...(subnet.includes(':') && { noDad: true }),
            },
          ],
    ),
  ]
}

/**
 * Learns nothing and floods nothing: where a MAC is, and which MAC an address has, is programmed, and questions for it
 * (ARP, neighbour solicitations) are answered here.
 */
function vxlan({ options }: Network, segment: Segment, host: HostFacts, mtu: number): KernelObject[] {
  const link = vxlanName(segment)
  return [
    {
      kind: 'link',
      at: SPACE,
      type: 'vxlan',
      name: link,
      mtu,
      master: bridgeName(segment),
      underlay: 'host',
      ipv6AddressGeneration: 'none',
      vxlan: {
        id: segment.vni,
        ...(options.port !== DEFAULT_PORT && { port: options.port }),
        ...(host.node !== undefined && { local: host.node.address }),
        learning: false,
        proxy: true,
      },
    },
    // What arrives may have the gateway's MAC of another host, which is that of the bridge here too.
    { kind: 'bridge-port', at: SPACE, link, learning: false },
    ...(options.checksumOffload ? [] : [{ kind: 'features', at: SPACE, link, features: { 'tx-checksum-ip-generic': false } } as const]),
  ]
}

function bridgeSysctls(network: Network, bridge: string, host: HostFacts): SysctlObject[] {
  if (!host.ipv6) return []
  const at = `net/ipv6/conf/${bridge}`
  return network.ipv6 ? [sysctl(`${at}/disable_ipv6`, '0'), sysctl(`${at}/accept_ra`, '0')] : [sysctl(`${at}/disable_ipv6`, '1')]
}

const sysctl = (path: string, value: string): SysctlObject => ({ kind: 'sysctl', at: SPACE, path, value })
