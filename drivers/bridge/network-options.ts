import { isIPv4, isIPv6 } from 'node:net'
import {
  asAnnouncementInterval,
  asAnnouncements,
  asBoolean,
  asInteger,
  asLinkName,
  asMetric,
  asMtu,
  asNegated,
  asOneOf,
  parseOptions,
  type OptionParser,
  type OptionTable,
} from '../../src/contracts/index.js'
import { parsePolicy, type Allowance } from './policy/parse-policy.js'

/**
 * How the world reaches endpoints, per family.
 * - `nat`: through published ports only.
 * - `nat-unprotected`: also directly, every port.
 * - `routed`: directly, published ports only; nothing is translated, and no port of the host is taken.
 * - `isolated`: not at all, not even the host; only on internal networks.
 */
export type GatewayMode = 'nat' | 'nat-unprotected' | 'routed' | 'isolated'

export interface Mark {
  value: number
  mask: number
}

/** What the user's options for a bridge network mean. */
export interface BridgeOptions {
  /** Name asked for; without it the name comes from the network's id. */
  bridge?: string
  /** `unmanaged`: the bridge is there already, and nothing of the host is touched but the endpoints' own ports. */
  mode: 'managed' | 'unmanaged'
  /** Bytes; `auto`: that of the adopted bridge, else of the link of the default route. */
  mtu: number | 'auto'
  /** Endpoints of the network reach one another. */
  icc: boolean
  /** The bridge gets no IPv4 address, though endpoints use the gateway all the same. */
  inhibitIpv4: boolean
  /** VRF of the host that the bridge becomes a port of. */
  vrf?: string
  /** VLAN of untagged frames on the network's ports. A bridge of ours then keeps VLANs apart; another must do so already. */
  vlan?: number
  /** Endpoints take their default route through the network's gateway. */
  defaultRoute: boolean
  /** Metric of that route. */
  metric?: number
  gatewayMode4: GatewayMode
  gatewayMode6: GatewayMode
  /** What leaves the host takes the host's address. */
  masquerade: boolean
  /** Address for that; without it that of the interface that the packet leaves through. */
  outbound4?: string
  outbound6?: string
  /** Host address of published ports that name none. */
  hostBinding?: string
  /** Ports are published in the family that endpoints have no address of, too, by a proxy. */
  proxy: boolean
  /** Host interfaces through which every port of every endpoint can be reached. */
  trusted: string[]
  /** Packets with this mark reach every port. */
  acceptMark?: Mark
  /**
   * Other networks of ours: `false`, they reach every port; `true`, isolated networks do not reach one another;
   * `strict`, no network, in either direction. Absent: as the gateway mode says. Published ports are always reached.
   */
  isolate?: 'false' | 'true' | 'strict'
  /** Who may talk to whom on this network; absent: everybody to everybody. */
  policy?: Allowance[]
  /** Frames with another source MAC than the endpoint's are dropped. */
  macSpoofCheck: boolean
  /** So are packets, ARP and neighbour advertisements with an address that is not the endpoint's. */
  addressSpoofCheck: boolean
  /** How often an endpoint's addresses are announced after it has joined, and how many milliseconds apart. */
  announcements: number
  announcementInterval: number
}

export const DEFAULTS: BridgeOptions = {
  mode: 'managed',
  mtu: 'auto',
  icc: true,
  inhibitIpv4: false,
  defaultRoute: true,
  gatewayMode4: 'nat',
  gatewayMode6: 'nat',
  masquerade: true,
  proxy: false,
  trusted: [],
  macSpoofCheck: false,
  addressSpoofCheck: false,
  announcements: 3,
  announcementInterval: 1000,
}

/** Marks the default network of the Docker daemon; there is none here, so only its absence can be honoured. */
const asNotDefault: OptionParser<undefined> = (text) => {
  if (asBoolean(text)) throw new Error('there is no default network here: any network may be named "bridge"')
  return undefined
}

const asGatewayMode = asOneOf('nat', 'nat-unprotected', 'routed', 'isolated')

const asIPv4: OptionParser<string> = (text) => {
  if (!isIPv4(text)) throw new Error('expected an IPv4 address')
  return text
}
const asIPv6: OptionParser<string> = (text) => {
  if (!isIPv6(text) || text.includes('%')) throw new Error('expected an IPv6 address')
  // RFC 5952: what the kernel is read back as.
  return new URL(`http://[${text}]/`).hostname.slice(1, -1)
}

const MAX_VLAN = 4094

/** 0 is how other systems say that there is none. */
export const asVlan: OptionParser<number | undefined> = (text) => asInteger(0, MAX_VLAN)(text) || undefined

const asLinkNames: OptionParser<string[]> = (text) => [...new Set(text.split(':').map(asLinkName))]

const asIsolation: OptionParser<'false' | 'true' | 'strict'> = (text) => (text === 'strict' ? text : asBoolean(text) ? 'true' : 'false')

const MAX_MARK = 0xffffffff

/** `0x1`, `7/0xff`: bits outside the mask are not looked at, and must not be asked for. */
const asMark: OptionParser<Mark> = (text) => {
  const [value = NaN, mask = MAX_MARK, ...rest] = text.split('/').map((part) => (/^(?:0x[0-9a-f]+|\d+)$/i.test(part) ? Number(part) : NaN))
  const fits = [value, mask].every((number) => number >= 0 && number <= MAX_MARK)
  if (!fits || rest.length > 0 || (value & ~mask) !== 0) throw new Error('expected a mark, or mark/mask with no bit set outside the mask')
  return { value, mask }
}

/** Every option of the driver under every name it has. */
export const NETWORK_OPTIONS: OptionTable<BridgeOptions & { default?: undefined }> = {
  'com.docker.network.bridge.name': { to: 'bridge', parse: asLinkName },
  mode: { to: 'mode', parse: asOneOf('managed', 'unmanaged') },
  mtu: { to: 'mtu', parse: asMtu },
  'com.docker.network.driver.mtu': { to: 'mtu', parse: asMtu },
  'com.docker.network.bridge.enable_icc': { to: 'icc', parse: asBoolean },
  'com.docker.network.bridge.inhibit_ipv4': { to: 'inhibitIpv4', parse: asBoolean },
  'com.docker.network.bridge.default_bridge': { to: 'default', parse: asNotDefault },
  vrf: { to: 'vrf', parse: asLinkName },
  vlan: { to: 'vlan', parse: asVlan },
  no_default_route: { to: 'defaultRoute', parse: asNegated },
  metric: { to: 'metric', parse: asMetric },
  'com.docker.network.bridge.gateway_mode_ipv4': { to: 'gatewayMode4', parse: asGatewayMode },
  'com.docker.network.bridge.gateway_mode_ipv6': { to: 'gatewayMode6', parse: asGatewayMode },
  'com.docker.network.bridge.enable_ip_masquerade': { to: 'masquerade', parse: asBoolean },
  'com.docker.network.host_ipv4': { to: 'outbound4', parse: asIPv4 },
  outbound_addr4: { to: 'outbound4', parse: asIPv4 },
  'com.docker.network.host_ipv6': { to: 'outbound6', parse: asIPv6 },
  outbound_addr6: { to: 'outbound6', parse: asIPv6 },
  'com.docker.network.bridge.host_binding_ipv4': { to: 'hostBinding', parse: asIPv4 },
  port_proxy: { to: 'proxy', parse: asBoolean },
  'com.docker.network.bridge.trusted_host_interfaces': { to: 'trusted', parse: asLinkNames },
  accept_fwmark: { to: 'acceptMark', parse: asMark },
  isolate: { to: 'isolate', parse: asIsolation },
  policy: { to: 'policy', parse: parsePolicy },
  macspoofchk: { to: 'macSpoofCheck', parse: asBoolean },
  address_spoof_check: { to: 'addressSpoofCheck', parse: asBoolean },
  'com.docker.network.advertise_addr_nmsgs': { to: 'announcements', parse: asAnnouncements },
  'com.docker.network.advertise_addr_ms': { to: 'announcementInterval', parse: asAnnouncementInterval },
}

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export const networkOptions = (raw: Readonly<Record<string, string>>): BridgeOptions =>
  parseOptions<BridgeOptions & { default?: undefined }>(raw, NETWORK_OPTIONS, DEFAULTS, 'network of driver bridge')
