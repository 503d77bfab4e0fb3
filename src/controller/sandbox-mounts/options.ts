import * as v from 'valibot'
import { CnmError } from '../../contracts/errors.js'
import type { OperationOptions } from '../options.js'
import { check } from '../validation.js'
import type { VolumeOptions } from '../volumes/options.js'
import { Volume } from '../volumes/volume.js'

/** A volume by name, made if there is none. */
export interface VolumeSource extends Omit<VolumeOptions, 'signal'> {
  type: 'volume'
}

/** A folder or file of the host. */
export interface BindSource {
  type: 'bind'
  source: string
  /** With what is mounted below it. Default true. */
  recursive?: boolean
  /** Makes the folder if it is missing. Default false. */
  create?: boolean
}

/** A file system in memory, without programs, devices and set-user-id files. It ends with the sandbox, or the machine. */
export interface TmpfsSource {
  type: 'tmpfs'
  /** Bytes, or `64m`. Default: half of the memory. */
  size?: number | string
  /** Default 0o1777. */
  mode?: number
  uid?: number
  gid?: number
  /** Programs may be run from it. Default false. */
  exec?: boolean
}

/** A name is that of a volume of the `local` driver, made if there is none. */
export type MountSource = Volume | string | VolumeSource | BindSource | TmpfsSource

export interface SandboxMountOptions extends OperationOptions {
  /** `when-busy`: only if somebody else has the write lease of a single-writer volume. Default false; true for a snapshot. */
  readOnly?: boolean | 'when-busy'
  /** Takes the write lease from a consumer on another host that counts as down: see {@link VolumeMountOptions.takeOver}. */
  takeOver?: 'when-down'
  /** Only this folder or file of the volume. It must exist. */
  subpath?: string
  /** Leaves a new volume empty, instead of filling it with what the sandbox has at the target. */
  noCopy?: boolean
  /** Whether mounts below spread between here and the sandbox. Default `rprivate`: they do not. */
  propagation?: 'private' | 'slave' | 'shared' | 'rprivate' | 'rslave' | 'rshared'
}

const path = v.pipe(v.string(), v.regex(/^[^\0]+$/))
const id = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 32 - 2))
const texts = v.record(v.string(), v.string())

const sources = {
  volume: v.strictObject({
    type: v.literal('volume'),
    name: v.optional(v.string()),
    driver: v.optional(v.string()),
    options: v.optional(texts),
    labels: v.optional(texts),
    accessMode: v.optional(v.picklist(['shared', 'single-writer'])),
  }),
  bind: v.strictObject({
    type: v.literal('bind'),
    source: v.pipe(path, v.startsWith('/')),
    recursive: v.optional(v.boolean()),
    create: v.optional(v.boolean()),
  }),
  tmpfs: v.strictObject({
    type: v.literal('tmpfs'),
    size: v.optional(v.union([v.pipe(v.number(), v.integer(), v.minValue(1)), v.pipe(v.string(), v.regex(/^\d+[kKmMgG]?$/))])),
    mode: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0o7777))),
    uid: v.optional(id),
    gid: v.optional(id),
    exec: v.optional(v.boolean()),
  }),
}

const mountFields = v.strictObject({
  readOnly: v.optional(v.union([v.boolean(), v.literal('when-busy')])),
  takeOver: v.optional(v.literal('when-down')),
  subpath: v.optional(path),
  noCopy: v.optional(v.boolean()),
  propagation: v.optional(v.picklist(['private', 'slave', 'shared', 'rprivate', 'rslave', 'rshared'])),
  signal: v.optional(v.instance(AbortSignal)),
})

export type CheckedSource = Volume | VolumeSource | BindSource | TmpfsSource

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT, ERR_CNM_UNKNOWN_OPTION */
export function validSource(input: MountSource): CheckedSource {
  if (input instanceof Volume) return input
  if (typeof input === 'string') return { type: 'volume', name: input }
  const type = (input as { type?: unknown } | null)?.type
  if (type !== 'volume' && type !== 'bind' && type !== 'tmpfs') {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', 'mount: a source is a volume, the name of one, or has type volume, bind or tmpfs', {
      field: 'source',
    })
  }
  return check<CheckedSource>(sources[type], input, `mount of type ${type}`)
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT, ERR_CNM_UNKNOWN_OPTION */
export function validMountOptions(source: CheckedSource, input: unknown): SandboxMountOptions {
  const options = check(mountFields, input, 'mount')
  if (source instanceof Volume || source.type === 'volume') return options
  for (const field of ['subpath', 'noCopy', 'takeOver'] as const)
    if (options[field] !== undefined) {
      throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `mount of type ${source.type}: ${field} is for volumes`, { field })
    }
  return options
}
