import { Collection } from './collection.js'
import { isTrue } from './filters.js'
import type { Network } from './network.js'
import type { Sandbox } from './sandbox.js'

export const networkCollection = (): Collection<Network> =>
  new Collection(
    'network',
    { exists: 'ERR_CNM_NETWORK_EXISTS', missing: 'ERR_CNM_NETWORK_NOT_FOUND' },
    {
      driver: (network, value) => network.driver === value,
      scope: (network, value) => network.scope === value,
      type: (network, value) => (value === 'custom') === !['host', 'null'].includes(network.driver),
      dangling: (network, value) => (network.endpoints.length === 0) === isTrue(value),
    },
  )

export const sandboxCollection = (): Collection<Sandbox> =>
  new Collection(
    'sandbox',
    { exists: 'ERR_CNM_SANDBOX_EXISTS', missing: 'ERR_CNM_SANDBOX_NOT_FOUND' },
    {
      network: (sandbox, value) => sandbox.endpoints.some(({ network }) => network.name === value || network.id === value),
    },
  )
