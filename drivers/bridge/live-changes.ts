import { CnmError, type NetworkView } from '../../src/contracts/index.js'
import { gateway } from './gateway-mode.js'
import { NETWORK_OPTIONS, type BridgeOptions } from './network-options.js'

type Network = NetworkView<BridgeOptions>

/** What a bridge is made with: to change it would be to make another one, under its endpoints. */
const FIXED = ['bridge', 'mode', 'vlan', 'vrf'] as const satisfies (keyof BridgeOptions)[]

/** Every option that is not refused here takes effect at once. @throws CnmError ERR_CNM_INVALID_ARGUMENT naming the option */
export function refuseChanges(network: Network, before: Network): void {
  const fixed = FIXED.find((name) => network.options[name] !== before.options[name])
  if (fixed !== undefined) throw refusal(fixed, 'cannot change while the network exists')
  for (const family of [4, 6] as const) {
    const [now, then] = [network, before].map(({ options, internal }) => gateway(options, family, internal))
    if (now === then) continue
    const option =
      family === 6 ? 'gatewayMode6' : network.options.inhibitIpv4 === before.options.inhibitIpv4 ? 'gatewayMode4' : 'inhibitIpv4'
    throw refusal(option, 'cannot change so that the network gets or loses its gateway')
  }
}

function refusal(option: keyof BridgeOptions, why: string): CnmError {
  const name = Object.keys(NETWORK_OPTIONS).find((each) => NETWORK_OPTIONS[each]!.to === option)!
  return new CnmError('ERR_CNM_INVALID_ARGUMENT', `option ${name} ${why}`, { field: `options.${name}` })
}
