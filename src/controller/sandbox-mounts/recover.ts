import { settleLease } from '../volumes/leases.js'
import { isSandboxConsumer, sandboxConsumer } from '../volumes/users.js'
import type { Core } from '../core.js'
import { settleLeaseOf } from './leases.js'
import { mountsOf, pointUser } from './records.js'
import { takeAway } from './unmount.js'

/**
 * Undoes or finishes mounts for sandboxes that were interrupted, and makes leases and mount points agree with what the
 * sandboxes' records say.
 */
export async function recoverSandboxMounts(core: Core): Promise<void> {
  for (const sandbox of core.sandboxes) for (const mount of mountsOf(sandbox)) if (mount.phase !== 'ready') await takeAway(sandbox, mount)
  const byConsumer = new Map([...core.sandboxes].map((sandbox) => [sandboxConsumer(sandbox), sandbox]))
  for (const volume of core.volumes.collection) {
    for (const consumer of [...volume.leases.keys()].filter(isSandboxConsumer)) {
      const sandbox = byConsumer.get(consumer)
      if (sandbox === undefined) await settleLease(volume, consumer, { writes: 0, reads: 0 })
      else await settleLeaseOf(sandbox, volume)
    }
  }
  await forgetMountPoints(core)
}

async function forgetMountPoints(core: Core): Promise<void> {
  const known = new Set([...core.sandboxes].flatMap((sandbox) => mountsOf(sandbox).map(({ target }) => pointUser(sandbox, target))))
  for (const { user, target } of await core.kernel.mounting.pointUsers(`${core.instance}.`))
    if (!known.has(user)) await core.kernel.mounting.forgetPoints(target, user)
}
