import type { SandboxMountRecord } from '../../contracts/records.js'
import type { MountRequest } from '../../kernel/index.js'
import type { Core } from '../core.js'
import type { Sandbox } from '../sandbox.js'
import { mountStorage } from '../volumes/mount-storage.js'
import { mountsOf, pointUser } from './records.js'

/** Mounts for the programs of a sandbox what one of its records says. */
export async function attach(sandbox: Sandbox, mount: SandboxMountRecord, environment: string): Promise<void> {
  await sandbox.core.kernel.mounting.mount(await requestFor(sandbox, mount, environment))
}

async function requestFor(sandbox: Sandbox, mount: SandboxMountRecord, environment: string): Promise<MountRequest> {
  const { source, target, readOnly, propagation } = mount
  const common = { target, environment, propagation, makeTarget: pointUser(sandbox, target), flags: readOnly ? (['ro'] as const) : [] }
  if ('tmpfs' in source) {
    const flags = [...common.flags, 'nosuid' as const, 'nodev' as const, ...(source.tmpfs.includes('exec') ? [] : ['noexec' as const])]
    return {
      ...common,
      flags,
      source: { type: 'tmpfs', device: common.makeTarget, options: source.tmpfs.filter((word) => word !== 'exec') },
    }
  }
  if ('bind' in source) return { ...common, flags: [...common.flags], source }
  const bind = await volumePath(sandbox.core, source.volume)
  return {
    ...common,
    flags: [...common.flags],
    source: { bind, recursive: true, ...(source.subpath !== undefined && { subpath: source.subpath }) },
  }
}

/** The volume is leased, so it has been mounted, or is now. */
async function volumePath(core: Core, id: string): Promise<string> {
  const volume = core.volumes.collection.get(id)
  return core.serial.run([`volume/${id}`], async () => mountStorage(volume))
}

/** What should be mounted in an environment and is not: all of it, if the environment is new. */
export async function attachMissing(sandbox: Sandbox, environment: string): Promise<void> {
  const wanted = mountsOf(sandbox).filter(({ phase }) => phase === 'ready')
  if (wanted.length === 0) return
  const there = new Set((await sandbox.core.kernel.mounting.inside(environment))?.map(({ target }) => target))
  for (const mount of wanted) if (!there.has(mount.target)) await attach(sandbox, mount, environment)
}
