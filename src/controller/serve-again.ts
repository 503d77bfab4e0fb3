import type { Place } from '../contracts/kernel-objects.js'
import { canonical } from '../engine/canonical.js'
import { ownerOf, save, type Core } from './core.js'
import type { Sandbox } from './sandbox.js'

export const served = (core: Core): Sandbox[] => core.sandboxes.list().filter(({ record }) => record.resolver !== undefined)

/**
 * The resolver's sockets went with the process that had them, or with the namespace `at`. On other ports than before, the
 * redirect changes.
 */
export async function serveAgain(core: Core, at?: Place): Promise<void> {
  for (const sandbox of served(core)) {
    if (at !== undefined && sandbox.record.namespace !== at) continue
    if (at !== undefined) await core.names.removeSandbox(sandbox)
    const before = sandbox.record
    const prepared = await core.names.prepare(sandbox, before.resolver!.ipv6 === undefined)
    if (canonical(before.resolver) !== canonical(prepared.record)) {
      sandbox.record = { ...before, resolver: prepared.record }
      await save(core, [sandbox.record])
      await core.engine.apply(new Map([[ownerOf(sandbox.record), sandbox.describe()]]))
    }
    core.names.serve(sandbox, prepared)
  }
}
