import { isInSubnet, type AddressRequest, type IpamDriver, type Lease, type LeaseContext } from '../../src/contracts/index.js'
import type { PacketThread } from './packet-port.js'
import { ANY_SUBNET, poolId, poolOf, readPoolId, refusal, type DhcpPool } from './pool.js'

/**
 * Addresses from the DHCP server of the network that endpoints are on: macvlan, ipvlan in mode l2, unmanaged bridges.
 * Each endpoint is a DHCP client while it is joined. See docs/dhcp.md.
 */
export function dhcp(): IpamDriver {
  let thread: PacketThread | undefined
  const clientFor = async (pool: DhcpPool, lease: Lease, context: LeaseContext) => {
    const [{ PacketThread }, { DhcpClient }] = await Promise.all([import('./packet-port.js'), import('./client.js')])
    thread ??= new PacketThread()
    return new DhcpClient(thread, lease.owner, context, {
      clientId: pool.clientId,
      timeout: pool.timeout * 1000,
      only: lease.data?.static,
      acceptable: (address) => isInSubnet(pool.subnet, address),
    })
  }
  return {
    name: 'dhcp',
    capabilities: { leases: true },
    requestPool: async (request) => {
      const pool = poolOf(request)
      return { id: poolId(pool), subnet: pool.subnet }
    },
    releasePool: async () => undefined,
    requestAddress: async (request) => wish(request, readPoolId(request.pool)),
    releaseAddress: async () => undefined,
    async acquire(lease, context) {
      const { LiveLease } = await import('./lease.js')
      return new LiveLease(await clientFor(readPoolId(lease.pool), lease, context), lease, context).acquire()
    },
    async release(lease, context) {
      const { termsFrom } = await import('./terms.js')
      const terms = termsFrom(lease)
      if (terms !== undefined) await (await clientFor(readPoolId(lease.pool), lease, context)).release(terms)
    },
    stop: async () => thread?.close(),
  }
}

/** What is asked for; it is the server's to give. */
function wish({ pool, owner, purpose, address }: AddressRequest, { subnet }: DhcpPool): Lease {
  if (address !== undefined && !isInSubnet(subnet, address)) throw refusal('address', `${address} is not in ${subnet}`)
  const bits = subnet === ANY_SUBNET ? '32' : subnet.split('/')[1]
  if (purpose === 'endpoint') {
    return {
      pool,
      owner,
      address: address === undefined ? '' : `${address}/${bits}`,
      ...(address !== undefined && { data: { static: address } }),
    }
  }
  if (address === undefined)
    throw refusal(
      'ipam.driver',
      'the network would need an address of its own, which DHCP does not give: a bridge must be unmanaged (mode)',
    )
  return { pool, owner, address: `${address}/${bits}` }
}
