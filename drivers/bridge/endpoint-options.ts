import {
  asAnnouncementInterval,
  asAnnouncements,
  asInteger,
  asLinkName,
  parseOptions,
  type OptionParser,
  type OptionTable,
} from '../../src/contracts/index.js'
import { asVlan } from './network-options.js'

/** What the user's options for an endpoint on a bridge network mean. */
export interface BridgeEndpointOptions {
  /** Name of the endpoint's port on the host; without it the name comes from the endpoint's id. */
  hostInterface?: string
  /** VLAN of untagged frames, instead of the network's. */
  vlan?: number
  /** VLANs that the endpoint sends and receives tagged: first and last of each range. */
  trunk?: [number, number][]
  /** Instead of the network's. */
  announcements?: number
  announcementInterval?: number
}

const asVlanId = asInteger(1, 4094)

/** `10,20-29` */
const asTrunk: OptionParser<[number, number][]> = (text) =>
  text.split(',').map((part) => {
    const [first = NaN, last = first, ...rest] = part.split('-').map((id) => asVlanId(id.trim()))
    if (rest.length > 0 || last < first) throw new Error('expected VLANs and ranges of them: 10,20-29')
    return [first, last]
  })

export const ENDPOINT_OPTIONS: OptionTable<BridgeEndpointOptions> = {
  host_interface_name: { to: 'hostInterface', parse: asLinkName },
  vlan: { to: 'vlan', parse: asVlan },
  vlan_trunk: { to: 'trunk', parse: asTrunk },
  'com.docker.network.advertise_addr_nmsgs': { to: 'announcements', parse: asAnnouncements },
  'com.docker.network.advertise_addr_ms': { to: 'announcementInterval', parse: asAnnouncementInterval },
}

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export const endpointOptions = (raw: Readonly<Record<string, string>>): BridgeEndpointOptions =>
  parseOptions<BridgeEndpointOptions>(raw, ENDPOINT_OPTIONS, {}, 'endpoint on a network of driver bridge')
