import type { Place } from '../contracts/kernel-objects.js'
import { canonical } from '../engine/canonical.js'
import { ownerOf, save, type Core } from './core.js'
import type { Sandbox } from './sandbox.js'

export const served = (core: Core): Sandbox[] => core.sandboxes.list().filter(({ record }) => record.resolver !== undefined)

/** The resolver's sockets went with the process that had them. A sandbox that cannot have new ones now does not hold up the others. */
export async function serveAll(core: Core): Promise<void> {
  for (const sandbox of served(core)) {
    try {
      await serve(core, sandbox)
    } catch (error) {
      const message = `sandbox ${sandbox.name}: its resolver does not answer: ${error instanceof Error ? error.message : String(error)}`
      core.events.emit('warning', { message, about: sandbox.id })
    }
  }
}

/** The resolver's sockets went with the namespace `at`. */
export async function serveAgain(core: Core, at: Place): Promise<void> {
  for (const sandbox of served(core)) {
    if (sandbox.record.namespace !== at) continue
    await core.names.removeSandbox(sandbox)
    await serve(core, sandbox)
  }
}

/** On other ports than before, the redirect changes. */
async function serve(core: Core, sandbox: Sandbox): Promise<void> {
  const before = sandbox.record
  const prepared = await core.names.prepare(sandbox, before.resolver!)
  if (canonical(before.resolver) !== canonical(prepared.record)) {
    sandbox.record = { ...before, resolver: prepared.record }
    await save(core, [sandbox.record])
    await core.engine.apply(new Map([[ownerOf(sandbox.record), sandbox.describe()]]))
  }
  core.names.serve(sandbox, prepared)
}
