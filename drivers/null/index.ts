import { parseOptions, type NetworkDriver } from '../../src/contracts/index.js'

/** Networks without anything: a sandbox that joins one gets no interface. The network `none` of other systems. */
export function nullDriver(): NetworkDriver<object> {
  return {
    name: 'null',
    capabilities: { addresses: false, interfaces: false, resolver: false },
    networkOptions: (raw) => parseOptions(raw, {}, {}, 'network of driver null'),
    network: () => [],
    endpoint: () => [],
  }
}
