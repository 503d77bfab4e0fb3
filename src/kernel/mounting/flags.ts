import { CnmError } from '../../contracts/errors.js'
import * as sys from '../syscalls.js'
import type { MountFlag, Propagation } from './request.js'
import type { MountAttributes } from './system-calls.js'

const ATTRIBUTES: Readonly<Record<MountFlag, number>> = {
  ro: 1,
  nosuid: 2,
  nodev: 4,
  noexec: 8,
  noatime: 0x10,
  strictatime: 0x20,
  nodiratime: 0x80,
  nosymfollow: 0x200000,
}
/** The field of which `noatime` and `strictatime` are values. */
const ATIME_FIELD = 0x70

const PROPAGATION: Readonly<Record<Propagation, number>> = {
  private: sys.MS_PRIVATE,
  slave: sys.MS_SLAVE,
  shared: sys.MS_SHARED,
  rprivate: sys.MS_PRIVATE,
  rslave: sys.MS_SLAVE,
  rshared: sys.MS_SHARED,
}

/** Bits for fsmount(2). */
export const attributesOf = (flags: readonly MountFlag[]): number => flags.reduce((all, flag) => all | bitOf(flag), 0)

/** For mount_setattr(2). */
export function changeOf(flags: readonly MountFlag[], propagation: Propagation | undefined): MountAttributes {
  const set = attributesOf(flags)
  return { set, clear: (set & ATIME_FIELD) === 0 ? 0 : ATIME_FIELD, propagation: propagation === undefined ? 0 : spreadOf(propagation) }
}

export const isRecursive = (propagation: Propagation | undefined): boolean => propagation?.startsWith('r') ?? false

function bitOf(flag: MountFlag): number {
  if (Object.hasOwn(ATTRIBUTES, flag)) return ATTRIBUTES[flag]
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${JSON.stringify(flag)} is no mount flag`, { field: 'flags' })
}

function spreadOf(propagation: Propagation): number {
  if (Object.hasOwn(PROPAGATION, propagation)) return PROPAGATION[propagation]
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${JSON.stringify(propagation)} is no propagation`, { field: 'propagation' })
}
