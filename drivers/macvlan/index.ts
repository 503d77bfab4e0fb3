export { macvlan } from './macvlan.js'
export type { MacvlanEndpointOptions } from './endpoint-options.js'
export type { MacvlanMode, MacvlanOptions } from './network-options.js'
