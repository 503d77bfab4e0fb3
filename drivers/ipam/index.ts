export { ipam, type IpamOptions } from './ipam.js'
export { GLOBAL_POOLS, LOCAL_POOLS, type PoolSource } from './default-pools.js'
export { nullIpam } from './null.js'
