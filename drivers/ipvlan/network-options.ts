import { asOneOf, parseOptions, type OptionTable } from '../../src/contracts/index.js'
import { PARENT_DEFAULTS, PARENT_OPTIONS, type ParentOptions } from '../parent-device/options.js'

/**
 * Where packets of endpoints are looked at.
 * - `l2`: endpoints are on the parent's network, with ARP and broadcasts of their own.
 * - `l3`: the host routes for them; no broadcasts, no ARP; others need a route to the subnets through the host.
 * - `l3s`: as `l3`, and packets pass the host's netfilter too.
 */
export type IpvlanMode = 'l2' | 'l3' | 'l3s'

/** How endpoints on one parent reach one another: directly (`bridge`), not at all (`private`), or through the switch outside (`vepa`). */
export type IpvlanFlag = 'bridge' | 'private' | 'vepa'

/** What the user's options for an ipvlan network mean. */
export interface IpvlanOptions extends ParentOptions {
  mode: IpvlanMode
  flag: IpvlanFlag
}

const DEFAULTS: IpvlanOptions = { ...PARENT_DEFAULTS, mode: 'l2', flag: 'bridge' }

const asMode = asOneOf('l2', 'l3', 'l3s')

const NETWORK_OPTIONS: OptionTable<IpvlanOptions> = {
  ...PARENT_OPTIONS,
  ipvlan_mode: { to: 'mode', parse: asMode },
  mode: { to: 'mode', parse: asMode },
  ipvlan_flag: { to: 'flag', parse: asOneOf('bridge', 'private', 'vepa') },
}

/** @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export const networkOptions = (raw: Readonly<Record<string, string>>): IpvlanOptions =>
  parseOptions<IpvlanOptions>(raw, NETWORK_OPTIONS, DEFAULTS, 'network of driver ipvlan')
