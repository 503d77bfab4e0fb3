import {
  asAnnouncementInterval,
  asAnnouncements,
  asInteger,
  asOneOf,
  parseOptions,
  type OptionParser,
  type OptionTable,
} from '../../src/contracts/index.js'
import { PARENT_DEFAULTS, PARENT_OPTIONS, type ParentOptions } from '../parent-device/options.js'

/**
 * How endpoints on one parent reach one another.
 * - `bridge`: directly, inside the host.
 * - `private`: not at all.
 * - `vepa`: through the switch that the parent is plugged into, which must send frames back out of the port they came in.
 * - `passthru`: one endpoint has the parent to itself, with its MAC.
 * - `source`: endpoints receive only from the MACs that are listed.
 */
export type MacvlanMode = 'bridge' | 'private' | 'vepa' | 'passthru' | 'source'

/** What the user's options for a macvlan network mean. */
export interface MacvlanOptions extends ParentOptions {
  mode: MacvlanMode
  /** Broadcasts to groups with more members than this are queued; -1: none is. */
  broadcastCutoff?: number
  /** Broadcasts that wait, at most. */
  broadcastQueueLength?: number
  /** In mode `source`: who is heard, unless the endpoint says otherwise. */
  sourceMacs: string[]
  announcements: number
  announcementInterval: number
}

const MAX_I32 = 0x7fffffff
const MAX_QUEUE = 0xffffffff

/** A set, in the order in which the kernel tells it. */
export const asMacs: OptionParser<string[]> = (text) => {
  const macs = text.split(',').map((part) => part.trim().toLowerCase())
  const wrong = macs.find((mac) => !/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/.test(mac))
  if (wrong !== undefined) throw new Error(`expected MACs, separated by commas; ${wrong} is none`)
  return [...new Set(macs)].sort()
}

const DEFAULTS: MacvlanOptions = { ...PARENT_DEFAULTS, mode: 'bridge', sourceMacs: [], announcements: 3, announcementInterval: 1000 }

const asMode = asOneOf('bridge', 'private', 'vepa', 'passthru', 'source')

const NETWORK_OPTIONS: OptionTable<MacvlanOptions> = {
  ...PARENT_OPTIONS,
  macvlan_mode: { to: 'mode', parse: asMode },
  mode: { to: 'mode', parse: asMode },
  bclim: { to: 'broadcastCutoff', parse: asInteger(-1, MAX_I32) },
  bcqueuelen: { to: 'broadcastQueueLength', parse: asInteger(0, MAX_QUEUE) },
  source_macs: { to: 'sourceMacs', parse: asMacs },
  'com.docker.network.advertise_addr_nmsgs': { to: 'announcements', parse: asAnnouncements },
  'com.docker.network.advertise_addr_ms': { to: 'announcementInterval', parse: asAnnouncementInterval },
}

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export const networkOptions = (raw: Readonly<Record<string, string>>): MacvlanOptions =>
  parseOptions<MacvlanOptions>(raw, NETWORK_OPTIONS, DEFAULTS, 'network of driver macvlan')
