import { asBoolean, asInteger, asLinkName, asOneOf, parseOptions, type OptionParser, type OptionTable } from '../../src/contracts/index.js'

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
  /** Endpoints take their default route through the network's gateway. */
  defaultRoute: boolean
  /** Metric of that route. */
  metric?: number
  /** How often an endpoint's addresses are announced after it has joined, and how many milliseconds apart. */
  announcements: number
  announcementInterval: number
}

const DEFAULTS: BridgeOptions = {
  mode: 'managed',
  mtu: 'auto',
  icc: true,
  inhibitIpv4: false,
  defaultRoute: true,
  announcements: 3,
  announcementInterval: 1000,
}

const MIN_MTU = 68
const MAX_MTU = 65535
const MAX_METRIC = 0xffffffff

/** 0 is what other systems write for "choose it for me". */
const asMtu: OptionParser<number | 'auto'> = (text) => (text === 'auto' || text === '0' ? 'auto' : asInteger(MIN_MTU, MAX_MTU)(text))

const negated = (text: string): boolean => !asBoolean(text)

/** Marks the default network of the Docker daemon; there is none here, so only its absence can be honoured. */
const asNotDefault: OptionParser<undefined> = (text) => {
  if (asBoolean(text)) throw new Error('there is no default network here: any network may be named "bridge"')
  return undefined
}

export const asAnnouncements = asInteger(0, 3)
export const asAnnouncementInterval = asInteger(100, 2000)

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
  no_default_route: { to: 'defaultRoute', parse: negated },
  metric: { to: 'metric', parse: asInteger(0, MAX_METRIC) },
  'com.docker.network.advertise_addr_nmsgs': { to: 'announcements', parse: asAnnouncements },
  'com.docker.network.advertise_addr_ms': { to: 'announcementInterval', parse: asAnnouncementInterval },
}

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export const networkOptions = (raw: Readonly<Record<string, string>>): BridgeOptions =>
  parseOptions<BridgeOptions & { default?: undefined }>(raw, NETWORK_OPTIONS, DEFAULTS, 'network of driver bridge')
