export { ipvlan } from './ipvlan.js'
export type { IpvlanFlag, IpvlanMode, IpvlanOptions } from './network-options.js'
