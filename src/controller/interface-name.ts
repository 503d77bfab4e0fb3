import { checkInterfaceName } from './identifiers.js'
import type { Network } from './network.js'
import { INTERFACE_PREFIX } from './views.js'

/** The network's prefix and the lowest number that makes a free name: `eth0`, `eth1`. */
export function firstFreeName(network: Network, taken: ReadonlySet<string | undefined>): string {
  const prefix = network.record.options[INTERFACE_PREFIX] ?? 'eth'
  for (let number = 0; ; number++) {
    const name = `${prefix}${number}`
    if (!taken.has(name)) return checkInterfaceName(name, `options.${INTERFACE_PREFIX}`)
  }
}
