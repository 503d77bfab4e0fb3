import { newId, shortId } from '../identifiers.js'
import { acquire, settleLease } from './leases.js'
import type { Volume } from './volume.js'

/** Begins the name of a consumer that ends with this process. */
const PREFIX = 'cnm:'

export const isInternal = (consumer: string): boolean => consumer.startsWith(PREFIX)

/**
 * Uses a volume for a copy of it, whose consumer nobody else sees. A single-writer volume is locked meanwhile: nobody
 * writes while it is copied.
 * @returns the path of its data, and how to give it back
 */
export async function borrow(volume: Volume, purpose: string, signal?: AbortSignal): Promise<{ path: string; giveBack(): Promise<void> }> {
  const consumer = `${PREFIX}${purpose}:${shortId(newId())}`
  const readOnly = volume.accessMode === 'shared' || volume.readOnly
  const { path } = await acquire(volume, { consumer, readOnly, signal })
  return { path, giveBack: () => settleLease(volume, consumer, { writes: 0, reads: 0 }) }
}
