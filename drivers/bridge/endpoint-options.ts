import { asLinkName, parseOptions, type OptionTable } from '../../src/contracts/index.js'
import { asAnnouncementInterval, asAnnouncements } from './network-options.js'

/** What the user's options for an endpoint on a bridge network mean. */
export interface BridgeEndpointOptions {
  /** Name of the endpoint's port on the host; without it the name comes from the endpoint's id. */
  hostInterface?: string
  /** Instead of the network's. */
  announcements?: number
  announcementInterval?: number
}

export const ENDPOINT_OPTIONS: OptionTable<BridgeEndpointOptions> = {
  host_interface_name: { to: 'hostInterface', parse: asLinkName },
  'com.docker.network.advertise_addr_nmsgs': { to: 'announcements', parse: asAnnouncements },
  'com.docker.network.advertise_addr_ms': { to: 'announcementInterval', parse: asAnnouncementInterval },
}

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export const endpointOptions = (raw: Readonly<Record<string, string>>): BridgeEndpointOptions =>
  parseOptions<BridgeEndpointOptions>(raw, ENDPOINT_OPTIONS, {}, 'endpoint on a network of driver bridge')
