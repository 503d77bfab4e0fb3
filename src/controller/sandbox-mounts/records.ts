import { createHash } from 'node:crypto'
import type { SandboxMountRecord } from '../../contracts/records.js'
import { save } from '../core.js'
import { shortId } from '../identifiers.js'
import type { Sandbox } from '../sandbox.js'

export const mountsOf = (sandbox: Sandbox): readonly SandboxMountRecord[] => sandbox.record.mounts ?? []

/** Writes what is mounted for a sandbox; an empty list leaves the record as it was before there were mounts. */
export async function saveMounts(sandbox: Sandbox, mounts: readonly SandboxMountRecord[]): Promise<void> {
  const { mounts: _before, ...rest } = sandbox.record
  const record = mounts.length === 0 ? rest : { ...rest, mounts: [...mounts] }
  await save(sandbox.core, [record])
  sandbox.record = record
}

export const replaced = (mounts: readonly SandboxMountRecord[], next: SandboxMountRecord): SandboxMountRecord[] =>
  mounts.map((mount) => (mount.target === next.target ? next : mount))

export const without = (mounts: readonly SandboxMountRecord[], target: string): SandboxMountRecord[] =>
  mounts.filter((mount) => mount.target !== target)

/** On whose behalf a mount point is made; begins with the instance. */
export const pointUser = (sandbox: Sandbox, target: string): string =>
  `${sandbox.core.instance}.${shortId(sandbox.id)}.${createHash('sha256').update(target).digest('hex').slice(0, 12)}`
