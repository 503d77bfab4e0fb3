import { CnmError } from '../contracts/errors.js'
import type { KernelObject } from '../contracts/kernel-objects.js'
import type { Kernel } from '../kernel/index.js'
import type { Core } from './core.js'
import { RUN_DIRECTORY } from './environment.js'
import { failureOf, removeEach, type CollectFailure } from './garbage.js'
import { ipsecObjects } from './ipsec-objects.js'
import { NAMESPACE_DIRECTORY } from './places.js'

/** An instance of which something was removed. */
export interface DeadInstance {
  instance: string
  objects: string[]
}

/** An instance that is to go; one that was not named is passed over when it is open. */
export interface ChosenInstance {
  instance: string
  named: boolean
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT for a name that this host never heard of */
export async function chooseInstances(core: Core, wanted: 'dead' | readonly string[]): Promise<ChosenInstance[]> {
  const others = (await core.kernel.instances()).filter((instance) => instance !== core.instance)
  if (wanted === 'dead') return others.map((instance) => ({ instance, named: false }))
  const unknown = wanted.find((instance) => !others.includes(instance))
  if (unknown === undefined) return wanted.map((instance) => ({ instance, named: true }))
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `collect: no other instance ${unknown} has been open on this host`, { field: 'instances' })
}

/**
 * Removes what other instances have in the kernel. Each is held meanwhile: one that is open is not touched, and nobody can
 * open one while it is taken down.
 */
export async function removeInstances(core: Core, chosen: readonly ChosenInstance[], failures: CollectFailure[]): Promise<DeadInstance[]> {
  const { kernel } = core
  const removed: DeadInstance[] = []
  for (const { instance, named } of chosen) {
    try {
      await kernel.takeOverInstance(instance)
      try {
        const objects = await removeEach(kernel, await objectsOf(kernel, instance), failures)
        if (objects.length > 0) removed.push({ instance, objects })
        for (const folder of await kernel.namespaces(`${RUN_DIRECTORY}/${instance}/`)) await kernel.dropEnvironment(folder)
      } finally {
        await kernel.releaseInstance(instance)
      }
    } catch (error) {
      const isOpen = error instanceof CnmError && error.code === 'ERR_CNM_INSTANCE_LOCKED'
      if (named || !isOpen) failures.push(failureOf(`instance ${instance}`, error))
    }
  }
  return removed
}

/** Links with its alias, its tables with all that is in them, namespaces that are named as it names them, its IPsec. */
async function objectsOf(kernel: Kernel, instance: string): Promise<KernelObject[]> {
  const tables = (['inet', 'bridge'] as const).map((family) => `${family} ${instance}`)
  const [[host = []], paths, ipsec] = await Promise.all([
    kernel.read([{ at: 'host', kinds: ['link', 'nft-table'], sysctls: [], tables }]),
    kernel.namespaces(`${NAMESPACE_DIRECTORY}/${instance}-`),
    ipsecObjects(kernel, instance),
  ])
  const named = new RegExp(`^${NAMESPACE_DIRECTORY}/${instance}-[0-9a-f]{12}(-[a-z0-9-]{1,32})?$`)
  return [
    ...host.filter((object) => object.kind !== 'link' || object.alias?.startsWith(`libcnm:${instance}:`)),
    ...ipsec,
    ...paths.filter((path) => named.test(path)).map((at): KernelObject => ({ kind: 'namespace', at })),
  ]
}
