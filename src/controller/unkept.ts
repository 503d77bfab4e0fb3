import type { Core } from './core.js'
import type { Endpoint } from './endpoint.js'
import { failureOf, type CollectFailure } from './garbage.js'
import { shortId } from './identifiers.js'
import type { Sandbox } from './sandbox.js'

/** What was deleted, and keys that fit nothing. */
export interface Unkept {
  sandboxes: string[]
  endpoints: string[]
  missing: string[]
}

/** Deletes the sandboxes and endpoints that nobody wants to keep. Those that are made meanwhile are left alone. */
export async function deleteUnkept(core: Core, keep: readonly string[], failures: CollectFailure[]): Promise<Unkept> {
  const { endpoints, sandboxes, missing } = select(core, new Set(keep))
  const attempt = async (object: string, work: () => Promise<void>): Promise<boolean> => {
    try {
      await work()
      return true
    } catch (error) {
      failures.push(failureOf(object, error))
      return false
    }
  }
  const deleted: Unkept = { sandboxes: [], endpoints: [], missing }
  for (const sandbox of sandboxes) {
    const joined = sandbox.endpoints.map(nameOf)
    if (!(await attempt(`sandbox ${sandbox.name}`, () => sandbox.delete()))) continue
    deleted.sandboxes.push(sandbox.name)
    deleted.endpoints.push(...joined)
  }
  for (const endpoint of endpoints) {
    if (await attempt(`endpoint ${nameOf(endpoint)}`, () => endpoint.delete({ force: true }))) deleted.endpoints.push(nameOf(endpoint))
  }
  return deleted
}

const nameOf = ({ network, name }: Endpoint): string => `${network.name}/${name}`

function select(core: Core, keep: ReadonlySet<string>): { sandboxes: Sandbox[]; endpoints: Endpoint[]; missing: string[] } {
  const missing = new Set(keep)
  const isNamed = ({ id, name }: Sandbox | Endpoint): boolean => {
    const keys = [id, shortId(id), name].filter((key) => keep.has(key))
    for (const key of keys) missing.delete(key)
    return keys.length > 0
  }
  const named = new Set<Sandbox>(core.sandboxes.list().filter(isNamed))
  const kept = new Set(named)
  const others: Endpoint[] = []
  for (const endpoint of core.endpoints.values()) {
    const { sandbox } = endpoint
    if (isNamed(endpoint)) {
      if (sandbox !== undefined) kept.add(sandbox)
    } else if (sandbox === undefined || !named.has(sandbox)) others.push(endpoint)
  }
  // A sandbox that goes takes its endpoints along. Its way out comes and goes by itself.
  const alone = ({ sandbox, network }: Endpoint): boolean => (sandbox === undefined || kept.has(sandbox)) && !network.record.gateway
  return {
    sandboxes: core.sandboxes.list().filter((sandbox) => !kept.has(sandbox)),
    endpoints: others.filter(alone),
    missing: [...missing],
  }
}
