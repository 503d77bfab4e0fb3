import type { SandboxMountRecord } from '../../contracts/records.js'
import type { Core } from '../core.js'
import type { Sandbox } from '../sandbox.js'
import { mountsOf } from './records.js'

/** The shape of `Mounts` in `docker inspect`. */
export interface MountInspection {
  Type: 'volume' | 'bind' | 'tmpfs'
  /** Of a volume. */
  Name?: string
  Driver?: string
  /** Path on the host. */
  Source: string
  Destination: string
  RW: boolean
  Propagation: string
}

export const inspectMounts = (sandbox: Sandbox): MountInspection[] =>
  mountsOf(sandbox).map((mount) => ({
    ...origin(sandbox.core, mount),
    Destination: mount.target,
    RW: !mount.readOnly,
    Propagation: mount.propagation,
  }))

function origin({ volumes }: Core, { source }: SandboxMountRecord): Pick<MountInspection, 'Type' | 'Name' | 'Driver' | 'Source'> {
  if ('tmpfs' in source) return { Type: 'tmpfs', Source: '' }
  if ('bind' in source) return { Type: 'bind', Source: source.bind }
  const volume = volumes.collection.find(source.volume)
  return { Type: 'volume', Name: volume?.name, Driver: volume?.driver, Source: [volume?.path ?? '', source.subpath ?? []].flat().join('/') }
}
