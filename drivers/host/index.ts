import { CnmError, parseOptions, type NetworkDriver } from '../../src/contracts/index.js'

/** The one network of this driver has this name. */
export const HOST_NETWORK = 'host'

/**
 * The host's own network stack: who joins has every interface, address and port of the host. Only a sandbox that is
 * the host's namespace can join.
 */
export function host(): NetworkDriver<object> {
  return {
    name: 'host',
    capabilities: { addresses: false, interfaces: false, resolver: false, hostStack: true, singleton: true },
    networkOptions: (raw) => parseOptions(raw, {}, {}, 'network of driver host'),
    network: () => [],
    endpoint: () => [],
    async beforeCreate({ name, internal }) {
      if (name !== HOST_NETWORK) throw refusal('name', `the network of driver host is named ${HOST_NETWORK}, not ${name}`)
      if (internal) throw refusal('internal', 'the host has a way out: a network of driver host cannot be internal')
    },
  }
}

const refusal = (field: string, message: string): CnmError => new CnmError('ERR_CNM_INVALID_ARGUMENT', message, { field })
