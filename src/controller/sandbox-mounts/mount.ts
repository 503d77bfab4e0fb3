import { mkdir } from 'node:fs/promises'
import { isAbsolute, normalize } from 'node:path'
import { CnmError } from '../../contracts/errors.js'
import type { SandboxMountRecord } from '../../contracts/records.js'
import { abortable } from '../core.js'
import type { Sandbox } from '../sandbox.js'
import { undoable, type Undo } from '../undo.js'
import { copyUp } from '../volumes/copy-up.js'
import { createVolume } from '../volumes/create.js'
import { acquire } from '../volumes/leases.js'
import { refusePlanning } from '../volumes/state.js'
import { sandboxConsumer } from '../volumes/users.js'
import { Volume } from '../volumes/volume.js'
import { attach } from './attach.js'
import {
  validMountOptions,
  validSource,
  type CheckedSource,
  type MountSource,
  type SandboxMountOptions,
  type TmpfsSource,
} from './options.js'
import { settleLeaseOf } from './leases.js'
import { mountsOf, pointUser, replaced, saveMounts, without } from './records.js'

/** Makes a volume, a folder of the host or a file system in memory visible to the programs of a sandbox. */
export async function mountInside(sandbox: Sandbox, input: MountSource, target: string, rawOptions: SandboxMountOptions): Promise<void> {
  const { core } = sandbox
  core.alive()
  refusePlanning(core.volumes)
  const source = validSource(input)
  const options = validMountOptions(source, rawOptions)
  checkTarget(target)
  abortable(options.signal, `mount at ${target}`)
  const volume = await volumeOf(sandbox, source, options)
  await core.serial.run([`sandbox/${sandbox.id}`], () =>
    undoable(async (undo) => {
      sandbox.refuseGone()
      refuseTaken(sandbox, target)
      const environment = await sandbox.environment.ready()
      const mount: SandboxMountRecord = {
        target,
        phase: 'mounting',
        source: await sourceRecord(volume, source, options),
        readOnly: options.readOnly === true,
        propagation: options.propagation ?? 'rprivate',
      }
      await saveMounts(sandbox, [...mountsOf(sandbox), mount])
      undo.push(() => saveMounts(sandbox, without(mountsOf(sandbox), target)))
      const readOnly = volume === undefined ? mount.readOnly : await lease(sandbox, volume, { environment, target, options, undo })
      const ready: SandboxMountRecord = { ...mount, readOnly, phase: 'ready' }
      await attach(sandbox, ready, environment)
      undo.push(() => core.kernel.mounting.unmount({ target, environment, detach: true, madeFor: pointUser(sandbox, target) }))
      await saveMounts(sandbox, replaced(mountsOf(sandbox), ready))
    }),
  )
  core.events.emit('sandbox:change', { sandbox })
}

function checkTarget(target: unknown): void {
  if (typeof target === 'string' && isAbsolute(target) && normalize(target) === target && target.length > 1 && !/\0|\/$/.test(target))
    return
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `mount: ${JSON.stringify(target)} is no absolute path for a mount`, { field: 'target' })
}

function refuseTaken(sandbox: Sandbox, target: string): void {
  if (!mountsOf(sandbox).some((mount) => mount.target === target)) return
  throw new CnmError('ERR_CNM_MOUNT_EXISTS', `sandbox ${sandbox.name} has something mounted at ${target} already`, {
    object: `sandbox ${sandbox.name}`,
    field: 'target',
  })
}

/** The one that exists is used whatever its options are, unless others are asked for. */
async function volumeOf(sandbox: Sandbox, source: CheckedSource, { signal }: SandboxMountOptions): Promise<Volume | undefined> {
  if (source instanceof Volume) return source
  if (source.type !== 'volume') return undefined
  const { type: _type, ...wanted } = source
  const existing = wanted.name === undefined ? undefined : sandbox.core.volumes.collection.find(wanted.name)
  const isPlain = wanted.driver === undefined && wanted.options === undefined && wanted.accessMode === undefined
  if (existing?.name === wanted.name && existing !== undefined && isPlain) return existing
  return createVolume(sandbox.core, { ...wanted, signal })
}

async function sourceRecord(
  volume: Volume | undefined,
  source: CheckedSource,
  { subpath }: SandboxMountOptions,
): Promise<SandboxMountRecord['source']> {
  if (volume !== undefined) return { volume: volume.id, ...(subpath !== undefined && { subpath }) }
  if (source instanceof Volume || source.type === 'volume') throw new Error('a volume was found before')
  if (source.type === 'tmpfs') return { tmpfs: tmpfsWords(source) }
  if (source.create) await mkdir(source.source, { recursive: true })
  return { bind: source.source, recursive: source.recursive ?? true }
}

function tmpfsWords({ size, mode, uid, gid, exec }: TmpfsSource): string[] {
  const words = [`mode=${(mode ?? 0o1777).toString(8)}`]
  if (size !== undefined) words.push(`size=${size}`)
  if (uid !== undefined) words.push(`uid=${uid}`)
  if (gid !== undefined) words.push(`gid=${gid}`)
  return exec ? [...words, 'exec'] : words
}

interface Leasing {
  environment: string
  target: string
  options: SandboxMountOptions
  undo: Undo
}

/** @returns whether the sandbox may only read */
async function lease(sandbox: Sandbox, volume: Volume, { environment, target, options, undo }: Leasing): Promise<boolean> {
  const { readOnly: wanted, takeOver, subpath, noCopy, signal } = options
  const consumer = sandboxConsumer(sandbox)
  const { readOnly } = await acquire(volume, {
    consumer,
    readOnly: wanted,
    takeOver,
    signal,
    prepare: async (path, only) => {
      if (!only && subpath === undefined && !noCopy && volume.leases.size === 0) await copyUp(volume, path, { environment, target, signal })
    },
  })
  undo.push(() => settleLeaseOf(sandbox, volume))
  return readOnly
}
