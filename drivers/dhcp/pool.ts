import { isIPv4 } from 'node:net'
import { asInteger, asOneOf, CnmError, parseOptions, type OptionTable, type PoolRequest } from '../../src/contracts/index.js'
import type { ClientIdKind } from './identity.js'

/** Options of the address manager, for one network. */
export interface DhcpOptions {
  clientId: ClientIdKind
  /** Seconds for a first address to be got. */
  timeout: number
}

const OPTIONS: OptionTable<DhcpOptions> = {
  client_id: { to: 'clientId', parse: asOneOf('endpoint', 'mac') },
  timeout: { to: 'timeout', parse: asInteger(1, 55) },
}
const DEFAULTS: DhcpOptions = { clientId: 'endpoint', timeout: 30 }

/** What the server gives is not known in advance. */
export const ANY_SUBNET = '0.0.0.0/0'

/** A pool is nothing but what its id says: there is nothing to keep, and nothing to lose. */
export interface DhcpPool extends DhcpOptions {
  owner: string
  subnet: string
}

/** @throws CnmError for what DHCP cannot give */
export function poolOf({ family, owner, subnet = ANY_SUBNET, ranges = [], options = {} }: PoolRequest): DhcpPool {
  if (family !== 4)
    throw new CnmError('ERR_CNM_NOT_SUPPORTED', 'the IPAM driver dhcp is for IPv4: there is no DHCPv6 yet', { field: 'enableIPv6' })
  if (ranges.length > 0) throw refusal('ipam.pools.range', 'which addresses are given is for the DHCP server to decide')
  const [base = '', bits] = subnet.split('/')
  if (!isIPv4(base) || !(Number(bits) >= 0 && Number(bits) <= 32)) throw refusal('ipam.pools.subnet', `${subnet} is no IPv4 subnet`)
  if (base === '0.0.0.0' && subnet !== ANY_SUBNET)
    throw refusal('ipam.pools.subnet', `${subnet}: a subnet cannot be chosen: it is the one that the DHCP server has`)
  return { owner, subnet, ...parseOptions(options, OPTIONS, DEFAULTS, 'IPAM driver dhcp') }
}

export const poolId = ({ owner, subnet, clientId, timeout }: DhcpPool): string => ['dhcp', owner, subnet, clientId, timeout].join(' ')

/** @throws CnmError ERR_CNM_POOL_NOT_FOUND */
export function readPoolId(id: string): DhcpPool {
  const [kind, owner, subnet, clientId, timeout] = id.split(' ')
  if (kind !== 'dhcp' || owner === undefined || subnet === undefined || (clientId !== 'endpoint' && clientId !== 'mac'))
    throw new CnmError('ERR_CNM_POOL_NOT_FOUND', `${id} is no pool of the IPAM driver dhcp`)
  return { owner, subnet, clientId, timeout: Number(timeout) }
}

export const refusal = (field: string, message: string): CnmError => new CnmError('ERR_CNM_INVALID_ARGUMENT', message, { field })
