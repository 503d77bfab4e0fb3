import { CnmError } from '../contracts/errors.js'
import { ipamDriver } from './core.js'
import type { Endpoint } from './endpoint.js'
import { withoutPrefix } from './pools.js'

/** Whether a transaction failed and left something behind in the kernel. */
export const isNotUndone = (error: unknown): boolean => error instanceof CnmError && error.cause instanceof AggregateError

/**
 * Keeps the addresses of an endpoint of which something is left in the kernel from everybody else, also when it is
 * deleted. Collection gives them back when it has removed what was left: at the next start, or when it is asked to.
 */
export async function quarantine(endpoint: Endpoint): Promise<void> {
  const { core, network, record } = endpoint
  endpoint.unclean = true
  const ipam = network.record.pools.length === 0 ? undefined : ipamDriver(core, network.record.ipamDriver, network.scope)
  for (const { pool, address } of record.addresses) await ipam?.quarantineAddress?.(pool, withoutPrefix(address), record.id)
}
