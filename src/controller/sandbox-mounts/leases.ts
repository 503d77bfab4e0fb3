import type { Sandbox } from '../sandbox.js'
import { settleLease } from '../volumes/leases.js'
import { sandboxConsumer } from '../volumes/users.js'
import type { Volume } from '../volumes/volume.js'
import { mountsOf } from './records.js'

/** A sandbox has a lease of a volume for what its record says is mounted; what comes or goes does not count. */
export async function settleLeaseOf(sandbox: Sandbox, volume: Volume): Promise<void> {
  const mounts = mountsOf(sandbox).filter(({ phase, source }) => phase === 'ready' && 'volume' in source && source.volume === volume.id)
  const reads = mounts.filter(({ readOnly }) => readOnly).length
  await settleLease(volume, sandboxConsumer(sandbox), { writes: mounts.length - reads, reads })
}
