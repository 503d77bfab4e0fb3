import { join } from 'node:path'
import { CnmError } from '../../contracts/errors.js'
import type { SandboxMountRecord } from '../../contracts/records.js'
import type { Sandbox } from '../sandbox.js'
import { settleLeaseOf } from './leases.js'
import { mountsOf, pointUser, replaced, saveMounts, without } from './records.js'

/** @throws CnmError ERR_CNM_VOLUME_NOT_MOUNTED; ERR_CNM_MOUNT_EXISTS while something is mounted below */
export async function unmountInside(sandbox: Sandbox, target: string): Promise<void> {
  const { core } = sandbox
  core.alive()
  await core.serial.run([`sandbox/${sandbox.id}`], async () => {
    const mount = mountsOf(sandbox).find((each) => each.target === target)
    if (mount === undefined) {
      throw new CnmError('ERR_CNM_VOLUME_NOT_MOUNTED', `sandbox ${sandbox.name} has nothing mounted at ${target}`, {
        object: `sandbox ${sandbox.name}`,
      })
    }
    const below = mountsOf(sandbox).find((each) => each.target.startsWith(`${target}/`))
    if (below !== undefined) {
      throw new CnmError('ERR_CNM_MOUNT_EXISTS', `sandbox ${sandbox.name}: unmount ${below.target}, which is below ${target}, first`, {
        object: `sandbox ${sandbox.name}`,
      })
    }
    await takeAway(sandbox, mount)
  })
  core.events.emit('sandbox:change', { sandbox })
}

/** Everything that was mounted for a sandbox, last ones first. Its programs have ended. */
export async function unmountAll(sandbox: Sandbox): Promise<void> {
  for (const mount of [...mountsOf(sandbox)].reverse()) await takeAway(sandbox, mount)
}

/** The lease goes after the mount, the record last. */
export async function takeAway(sandbox: Sandbox, mount: SandboxMountRecord): Promise<void> {
  await saveMounts(sandbox, replaced(mountsOf(sandbox), { ...mount, phase: 'unmounting' }))
  if (mount.phase === 'ready' || (await isAttached(sandbox, mount))) await detach(sandbox, mount)
  await forgetMount(sandbox, mount)
}

async function forgetMount(sandbox: Sandbox, { target, source }: SandboxMountRecord): Promise<void> {
  const { core } = sandbox
  await core.kernel.mounting.forgetPoints(target, pointUser(sandbox, target))
  const volume = 'volume' in source ? core.volumes.collection.find(source.volume) : undefined
  if (volume !== undefined) await settleLeaseOf(sandbox, volume)
  await saveMounts(sandbox, without(mountsOf(sandbox), target))
}

/** Programs that still run lose sight of it at once. */
async function detach(sandbox: Sandbox, { target }: SandboxMountRecord): Promise<void> {
  const { mounting } = sandbox.core.kernel
  const environment = sandbox.environment.directory
  if ((await mounting.inside(environment)) === undefined) return
  await mounting.unmount({ target, environment, detach: true, madeFor: pointUser(sandbox, target) })
}

/** Of a mount that was interrupted: at the same place there may be one of the host's, which is not ours to take away. */
async function isAttached(sandbox: Sandbox, { target, source }: SandboxMountRecord): Promise<boolean> {
  const { kernel, volumes } = sandbox.core
  const environment = sandbox.environment.directory
  const there = (await kernel.mounting.inside(environment))?.filter((each) => each.target === target).at(-1)
  if (there === undefined) return false
  if ('tmpfs' in source) return there.source === pointUser(sandbox, target)
  if ('bind' in source) return kernel.mounting.shows(environment, source.bind, target)
  const path = volumes.collection.find(source.volume)?.path
  return path !== undefined && kernel.mounting.shows(environment, join(path, source.subpath ?? ''), target)
}
