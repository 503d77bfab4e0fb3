import { CnmError, type HostFacts, type NetworkView } from '../../src/contracts/index.js'
import { isOurs } from './adoption.js'
import { gatewayMode } from './gateway-mode.js'
import { bridgeName } from './kernel-names.js'
import { mtuOf } from './mtu.js'
import { DEFAULTS, type BridgeOptions } from './network-options.js'

/** RFC 8200, section 5: the kernel switches IPv6 off on a link with less. */
const MIN_IPV6_MTU = 1280
/** What only rules can do. */
const FIREWALL_WORDS = {
  gatewayMode4: 'a gateway mode',
  gatewayMode6: 'a gateway mode',
  masquerade: 'enable_ip_masquerade=false',
  outbound4: 'an address for outgoing packets',
  outbound6: 'an address for outgoing packets',
  hostBinding: 'an address for published ports',
  proxy: 'a proxy for published ports',
  trusted: 'a trusted interface',
  acceptMark: 'an accepted mark',
  isolate: 'isolation from other networks',
  policy: 'a policy',
  macSpoofCheck: 'a check of source addresses',
  addressSpoofCheck: 'a check of source addresses',
} as const satisfies Partial<Record<keyof BridgeOptions, string>>
const FIREWALL_OPTIONS = Object.keys(FIREWALL_WORDS) as (keyof typeof FIREWALL_WORDS)[]
const LINK_LOCAL = 'fe80::/64'

/** What can only be judged with the whole network in view, and the host. @throws CnmError naming the field */
export function refuseImpossible(network: NetworkView<BridgeOptions>, host: HostFacts, hasRules: boolean): void {
  if (network.ipv6 && !host.ipv6)
    throw new CnmError('ERR_CNM_NOT_SUPPORTED', 'the kernel of this host has no IPv6', { field: 'enableIPv6' })
  for (const { subnet } of network.subnets) if (clashesWithLinkLocal(subnet)) throw clash(subnet)
  refuseMtu(network, host)
  refuseModes(network, hasRules)
  refusePolicy(network)
  refuseVrf(network, host)
}

function refuseMtu(network: NetworkView<BridgeOptions>, host: HostFacts): void {
  const mtu = mtuOf(network, host)
  if (mtu === undefined) return
  if (network.ipv6 && mtu < MIN_IPV6_MTU)
    throw refusal('mtu', `IPv6 needs an MTU of ${MIN_IPV6_MTU} or more, and this network would have ${mtu}`)
  const existing = isOurs(network) ? undefined : host.links.get(bridgeName(network))
  if (existing !== undefined && mtu > existing.mtu) {
    throw refusal(
      'mtu',
      `bridge ${existing.name} has an MTU of ${existing.mtu} and would drop packets of ${mtu} bytes; it is not ours to change`,
    )
  }
}

function refuseModes(network: NetworkView<BridgeOptions>, hasRules: boolean): void {
  const { options, internal } = network
  for (const family of [4, 6] as const) {
    const mode = family === 4 ? options.gatewayMode4 : options.gatewayMode6
    if (mode !== 'isolated') continue
    const option = `com.docker.network.bridge.gateway_mode_ipv${family}`
    if (!internal) throw refusal(option, 'gateway mode isolated is for internal networks: this one has a way out')
    if (!isOurs(network)) throw refusal(option, `bridge ${bridgeName(network)} was there before: what addresses it has is not ours to say`)
  }
  if (hasRules) return
  const given = FIREWALL_OPTIONS.find((name) => JSON.stringify(options[name]) !== JSON.stringify(DEFAULTS[name]))
  if (given !== undefined)
    throw refusal('mode', `without rules of ours (mode=unmanaged, or a driver without firewall) ${FIREWALL_WORDS[given]} cannot be had`)
}

function refusePolicy(network: NetworkView<BridgeOptions>): void {
  const { policy, icc, inhibitIpv4 } = network.options
  if (policy === undefined) return
  const routed = ([4, 6] as const).every((family) => gatewayMode(network, family) !== 'isolated')
  if (!routed || inhibitIpv4)
    throw refusal('policy', 'under a policy endpoints reach one another through the host, which needs an address on the network')
  if (!icc) throw refusal('policy', 'enable_icc=false allows nothing already: leave it out, the policy says what is allowed')
  if (!isOurs(network))
    throw refusal('policy', `bridge ${bridgeName(network)} was there before: who else is on it would get around a policy`)
}

function refuseVrf(network: NetworkView<BridgeOptions>, host: HostFacts): void {
  const { vrf } = network.options
  if (vrf === undefined) return
  if (!isOurs(network)) throw refusal('vrf', `bridge ${bridgeName(network)} was there before and is not ours to move into VRF ${vrf}`)
  const link = host.links.get(vrf)
  if (link?.type === 'vrf') return
  throw refusal('vrf', link === undefined ? `there is no VRF ${vrf}` : `${vrf} is no VRF but of type ${link.type}`)
}

/** Other parts of fe80::/10 are nobody's; fe80::/64 itself is on every link anyway. */
function clashesWithLinkLocal(subnet: string): boolean {
  const [address = '', bits = '0'] = subnet.split('/')
  if (!subnet.includes(':') || subnet === LINK_LOCAL) return false
  return Number(bits) < 64 ? coversLinkLocal(address, Number(bits)) : /^fe80::(?:[0-9a-f]{1,4}:){0,3}[0-9a-f]{0,4}$/i.test(address)
}

/** Whether a prefix shorter than 64 bits covers fe80::/64, whose first 10 bits are 1111111010 and the next 54 are 0. */
function coversLinkLocal(address: string, bits: number): boolean {
  const first = address.startsWith(':') ? 0 : parseInt(address, 16)
  const mask = bits >= 16 ? 0xffff : (0xffff << (16 - bits)) & 0xffff
  if ((first & mask) !== (0xfe80 & mask)) return false
  return bits <= 16 || /^[0-9a-f]{1,4}::$/i.test(address)
}

const clash = (subnet: string): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', `subnet ${subnet} clashes with the link-local prefix ${LINK_LOCAL}`, { field: 'ipam.pools' })

const refusal = (option: string, message: string): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', message, { field: `options.${option}` })
