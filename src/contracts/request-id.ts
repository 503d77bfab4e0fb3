import { createHash } from 'node:crypto'
import type { KernelObject } from './kernel-objects.js'

/** Beyond those that people choose, and within what programs that read them as signed take. */
const FIRST = 0x4000_0000

/**
 * IPsec objects have no name and no comment, but a number that groups them (`reqid`): that of an instance tells whose they
 * are. Drivers give it to their states, and to a template of each policy, also of one that blocks.
 */
export const requestIdOf = (instance: string): number =>
  FIRST + (createHash('sha256').update(`libcnm:${instance}`).digest().readUInt32BE(0) % FIRST)

/** Whether an IPsec state or policy has this number. */
export function hasRequestId(object: KernelObject, id: number): boolean {
  if (object.kind === 'xfrm-state') return object.requestId === id
  return object.kind === 'xfrm-policy' && object.templates.some(({ requestId }) => requestId === id)
}
