import { asAnnouncementInterval, asAnnouncements, parseOptions, type OptionTable } from '../../src/contracts/index.js'
import { asMacs } from './network-options.js'

/** What the user's options for an endpoint on a macvlan network mean: each instead of the network's. */
export interface MacvlanEndpointOptions {
  sourceMacs?: string[]
  announcements?: number
  announcementInterval?: number
}

const ENDPOINT_OPTIONS: OptionTable<MacvlanEndpointOptions> = {
  source_macs: { to: 'sourceMacs', parse: asMacs },
  'com.docker.network.advertise_addr_nmsgs': { to: 'announcements', parse: asAnnouncements },
  'com.docker.network.advertise_addr_ms': { to: 'announcementInterval', parse: asAnnouncementInterval },
}

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export const endpointOptions = (raw: Readonly<Record<string, string>>): MacvlanEndpointOptions =>
  parseOptions<MacvlanEndpointOptions>(raw, ENDPOINT_OPTIONS, {}, 'endpoint on a network of driver macvlan')
