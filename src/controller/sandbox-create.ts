import type { SandboxRecord } from '../contracts/records.js'
import { abortable, ownerOf, save, type Core } from './core.js'
import { checkName, newId } from './identifiers.js'
import type { SandboxOptions } from './options.js'
import { sandboxPath } from './places.js'
import { Sandbox } from './sandbox.js'
import { undoableOrLater } from './undo.js'
import { validSandbox } from './validation.js'

/**
 * Makes a sandbox with a namespace of its own, or around one that exists. Its record is complete before the kernel is asked:
 * a start after a crash in between makes the namespace, as it does when one is lost.
 */
export async function createSandbox(core: Core, input: SandboxOptions): Promise<Sandbox> {
  await core.turns.take()
  core.alive()
  const options = validSandbox(input)
  checkName(options.name, 'sandbox')
  abortable(options.signal, `sandbox ${options.name}`)
  return undoableOrLater({ cleanups: core.cleanups, what: `sandbox ${options.name}`, keys: [] }, async (undo) => {
    core.sandboxes.reserve(options.name)
    undo.push(() => core.sandboxes.release(options.name))
    const id = newId()
    const namespace = namespaceOf(options) ?? sandboxPath(core.instance, id)
    const owned = options.netns === undefined
    if (!owned && namespace !== 'host') await core.kernel.checkNamespace(namespace)
    const record: SandboxRecord = {
      kind: 'sandbox',
      version: 1,
      id,
      name: options.name,
      created: new Date().toISOString(),
      phase: 'ready',
      labels: { ...options.labels },
      namespace,
      owned,
      hostname: options.hostname ?? options.name,
      hostnameGiven: options.hostname !== undefined || undefined,
      dns: {
        servers: [...(options.dns?.servers ?? [])],
        search: [...(options.dns?.search ?? [])],
        options: [...(options.dns?.options ?? [])],
      },
      extraHosts: { ...options.extraHosts },
    }
    const sandbox = new Sandbox(core, record, { isNew: true })
    await save(core, [record])
    undo.push(() => save(core, [], [record]))
    await core.turns.take()
    await core.engine.apply(new Map([[ownerOf(record), sandbox.describe()]]))
    core.sandboxes.add(sandbox)
    core.events.emit('sandbox:create', { sandbox })
    return sandbox
  })
}

function namespaceOf({ netns }: SandboxOptions): string | undefined {
  return typeof netns === 'object' ? `/proc/${netns.pid}/ns/net` : netns
}
