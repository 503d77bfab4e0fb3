import type { AddressRequest, IpamDriver, Lease, Pool, PoolRequest } from '../../src/contracts/ipam-driver.js'
import { refused } from './prefix.js'

/**
 * No address management: every pool is the whole address space, every lease is empty, and nothing is remembered. For
 * networks whose endpoints have no addresses or get them elsewhere.
 */
export const nullIpam = (): IpamDriver => ({
  name: 'null',
  requestPool: async ({ family, subnet }: PoolRequest): Promise<Pool> => {
    if (subnet !== undefined) throw refused('subnet', 'the null IPAM driver has no subnets')
    return { id: `null/${family}`, subnet: family === 6 ? '::/0' : '0.0.0.0/0' }
  },
  releasePool: async () => undefined,
  requestAddress: async ({ pool, owner, address }: AddressRequest): Promise<Lease> => {
    if (address !== undefined) throw refused('address', 'the null IPAM driver gives no addresses')
    return { pool, owner, address: '' }
  },
  releaseAddress: async () => undefined,
})
