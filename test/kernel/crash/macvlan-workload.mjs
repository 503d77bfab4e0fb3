// @ts-check
/**
 * The workload of bridge networks on a device of the host, with an interface of each network on the host: the driver is
 * in the place of the one that networks have by default. Ports, and IPv6 where the host has no address, are refused.
 *
 * @import { Workload } from './workload.mjs'
 */
import { macvlan } from 'libcnm/drivers/macvlan'
import bridge from './bridge-workload.mjs'

/** @type {Workload} */
export default {
  ...bridge,
  options: () => ({
    drivers: [{ ...macvlan(), name: 'bridge' }],
    defaultNetworkOptions: { bridge: { parent: 'up0', host_access: 'true' } },
  }),
  refusals: [...(bridge.refusals ?? []), 'ERR_CNM_NOT_SUPPORTED', 'ERR_CNM_INVALID_ARGUMENT'],
}
