// @ts-check
/**
 * The workload of bridge networks as ipvlan on a device of the host.
 *
 * @import { Workload } from './workload.mjs'
 */
import { ipvlan } from 'libcnm/drivers/ipvlan'
import macvlan from './macvlan-workload.mjs'

/** @type {Workload} */
export default {
  ...macvlan,
  options: () => ({
    drivers: [{ ...ipvlan(), name: 'bridge' }],
    defaultNetworkOptions: { bridge: { parent: 'up0' } },
  }),
}
