import type { HostFacts, NetworkView } from '../../src/contracts/index.js'
import { refuseNoAddress } from '../parent-device/host-access.js'
import { refuseMtu } from '../parent-device/mtu.js'
import { refusal } from '../parent-device/parent.js'
import type { IpvlanOptions } from './network-options.js'

type Network = NetworkView<IpvlanOptions>

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the option */
export function refuseImpossible(network: Network, host: HostFacts, others: readonly Network[]): void {
  refuseMtu(network, host)
  refuseOtherMode(network, others)
  refuseUnknownSubnet(network)
  const { hostAccess, flag } = network.options
  if (!hostAccess) return
  if (flag !== 'bridge') throw refusal('host_access', `with flag ${flag} an interface on the host would not reach the endpoints`)
  refuseNoAddress(network, [])
}

/** Without broadcasts nobody can be asked for an address. */
function refuseUnknownSubnet({ options: { mode }, subnets }: Network): void {
  if (mode !== 'l2' && subnets.some(({ subnet }) => subnet.endsWith('/0')))
    throw refusal('ipvlan_mode', `in mode ${mode} addresses cannot be got by DHCP: there are no broadcasts`)
}

/** Mode and flag are the parent's: the kernel would change them for everybody on it. */
function refuseOtherMode(network: Network, others: readonly Network[]): void {
  const { parent, mode, flag } = network.options
  if (parent === undefined) return
  const rival = others.find(
    ({ id, options }) => id !== network.id && options.parent === parent && (options.mode !== mode || options.flag !== flag),
  )
  if (rival === undefined) return
  const theirs = `mode ${rival.options.mode} and flag ${rival.options.flag}`
  const what = rival.options.mode === mode ? 'ipvlan_flag' : 'ipvlan_mode'
  throw refusal(what, `network ${rival.name} has parent ${parent} in ${theirs}, which all networks on one parent share`)
}
