export { bridge, type BridgeDriverOptions } from './bridge.js'
export type { BridgeEndpointOptions } from './endpoint-options.js'
export type { BridgeOptions } from './network-options.js'
