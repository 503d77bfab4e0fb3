import * as v from 'valibot'
import type { Core } from './core.js'
import { chooseInstances, removeInstances } from './dead-instances.js'
import { collectGarbage, type CollectFailure, type Garbage } from './garbage.js'
import { deleteUnkept } from './unkept.js'
import { check } from './validation.js'

export interface CollectOptions {
  /**
   * Sandboxes and endpoints that should exist, by name, id or short id. All others of the instance are deleted, and programs
   * in those sandboxes end: a sandbox stays with all its endpoints, and an endpoint with its sandbox. Networks stay. Default:
   * nothing that has a record is deleted.
   */
  keep?: readonly string[]
  /**
   * Removes links, namespaces, firewall tables and IPsec of other instances of this host: of those named, or of all that no
   * process has open (`dead`). Their records stay. An instance that is open is never touched. Default: none.
   */
  instances?: 'dead' | readonly string[]
}

/** What was removed, and what could not be. */
export interface Collected extends Garbage {
  /** Names. */
  sandboxes: string[]
  /** `network/endpoint`. */
  endpoints: string[]
  /** What of `keep` there is not. */
  missing: string[]
  /** Other instances of which something was removed. */
  instances: string[]
  failures: CollectFailure[]
}

const fields = v.strictObject({
  keep: v.optional(v.array(v.string())),
  instances: v.optional(v.union([v.literal('dead'), v.array(v.string())], 'expected "dead" or a list of instances')),
})

/** Everything is tried, whatever fails. @throws CnmError ERR_CNM_INVALID_ARGUMENT before anything is removed */
export async function collect(core: Core, options: CollectOptions): Promise<Collected> {
  check(fields, options, 'collect')
  const chosen = options.instances === undefined ? [] : await chooseInstances(core, options.instances)
  const failures: CollectFailure[] = []
  const deleted =
    options.keep === undefined ? { sandboxes: [], endpoints: [], missing: [] } : await deleteUnkept(core, options.keep, failures)
  const garbage = await collectGarbage(core, failures)
  const others = await removeInstances(core, chosen, failures)
  return {
    ...deleted,
    ...garbage,
    objects: [...garbage.objects, ...others.flatMap(({ objects }) => objects)],
    instances: others.map(({ instance }) => instance),
    failures,
  }
}
