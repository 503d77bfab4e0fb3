import { statSync } from 'node:fs'
import { constants } from 'node:os'
import { isAbsolute, normalize } from 'node:path'
import { CnmError } from '../contracts/errors.js'
import type { MountObject } from '../contracts/kernel-objects.js'
import { errnoOf } from './errors.js'
import type { ObjectHandler } from './handler.js'
import { mounts, type Mount } from './mountinfo.js'
import * as sys from './syscalls.js'

const { EBUSY, EINVAL, ENOENT } = constants.errno
const FLAGS: Readonly<Record<string, number>> = {
  bind: sys.MS_BIND,
  rbind: sys.MS_BIND | sys.MS_REC,
  ro: sys.MS_RDONLY,
  nosuid: sys.MS_NOSUID,
  nodev: sys.MS_NODEV,
  noexec: sys.MS_NOEXEC,
}
const PROPAGATION: Readonly<Record<string, number>> = {
  private: sys.MS_PRIVATE,
  slave: sys.MS_SLAVE,
  shared: sys.MS_SHARED,
  rprivate: sys.MS_PRIVATE | sys.MS_REC,
  rslave: sys.MS_SLAVE | sys.MS_REC,
  rshared: sys.MS_SHARED | sys.MS_REC,
}

/**
 * mount(2) and umount(2), in the mount namespace of the process. The target must exist. `replace` accepts that the same
 * mount is there already; it does not push another one aside, since nobody could put that back.
 */
export const mountHandler: ObjectHandler<'mount'> = {
  create(object, context, replace) {
    context.flush()
    checkTarget(object)
    const there = mounts()
      .reverse()
      .find(({ target }) => target === object.target)
    if (there === undefined) return attach(object)
    if (!replace || !isSame(there, object)) throw new sys.SystemCallError('mount', EBUSY)
  },
  change(from, to, context) {
    context.flush()
    if (JSON.stringify(from) === JSON.stringify(to)) return
    checkTarget(to)
    sys.umount(from.target)
    try {
      attach(to)
    } catch (error) {
      attach(from)
      throw error
    }
  },
  remove(object, context) {
    context.flush()
    checkTarget(object)
    try {
      sys.umount(object.target)
    } catch (error) {
      // What the kernel says when nothing is mounted there.
      throw errnoOf(error) === EINVAL ? new sys.SystemCallError('umount', ENOENT) : error
    }
  },
  list: () => mounts().map(asObject),
  describe(action, { source, target, type, flags = [] }) {
    if (action === 'delete') return `umount ${target}`
    const words = [type === undefined ? '' : ` -t ${type}`, flags.length === 0 ? '' : ` -o ${flags.join(',')}`]
    return `mount${words.join('')} ${source} ${target}`
  },
}

function asObject({ target, root, source, type, options }: Mount): MountObject {
  return { kind: 'mount', target, source: root === '/' ? source : root, type, flags: options.filter((option) => option in FLAGS) }
}

/** One mount(2) for the mount itself, then what that cannot do at once: restrictions of a bind mount, propagation. */
function attach({ source, target, type, flags = [], data }: MountObject): void {
  const { mode, propagation } = parseFlags(flags)
  const bind = mode & (sys.MS_BIND | sys.MS_REC)
  sys.mount(source, target, type ?? null, bind === 0 ? mode : bind, data ?? null)
  try {
    if (bind !== 0 && mode !== bind) restrict(target, mode & ~bind, (bind & sys.MS_REC) !== 0)
    for (const flag of propagation) sys.mount(null, target, null, flag)
  } catch (error) {
    sys.umount(target)
    throw error
  }
}

/** mount(2) with MS_REMOUNT replaces the flags of one mount: those that it has must be said again. */
function restrict(target: string, flags: number, recursive: boolean): void {
  const all = mounts()
  const top = [...all].reverse().find((mount) => mount.target === target)
  if (top === undefined) throw new sys.SystemCallError('mount', ENOENT)
  const below = recursive ? all.filter((mount) => isBelow(mount, top, all)) : []
  for (const mount of [top, ...below]) {
    const { mode } = parseFlags(mount.options.filter((option) => option in FLAGS))
    sys.mount(null, mount.target, null, sys.MS_REMOUNT | sys.MS_BIND | mode | flags)
  }
}

function isBelow(mount: Mount, top: Mount, all: readonly Mount[]): boolean {
  const parent = all.find(({ id }) => id === mount.parent)
  return parent !== undefined && parent !== mount && (parent === top || isBelow(parent, top, all))
}

/** A bind mount shows the very folder or file that is its source. */
function isSame(there: Mount, { source, target, type, flags = [] }: MountObject): boolean {
  if (!flags.includes('bind') && !flags.includes('rbind')) return there.type === type && there.source === source
  const [a, b] = [statSync(source), statSync(target)]
  return a.dev === b.dev && a.ino === b.ino
}

function parseFlags(flags: readonly string[]): { mode: number; propagation: number[] } {
  let mode = 0
  const propagation: number[] = []
  for (const flag of flags) {
    const [bit, way] = [FLAGS[flag], PROPAGATION[flag]]
    if (bit !== undefined) mode |= bit
    else if (way !== undefined) propagation.push(way)
    else throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${JSON.stringify(flag)} is no mount flag`, { field: 'flags' })
  }
  return { mode, propagation }
}

function checkTarget({ target }: MountObject): void {
  if (isAbsolute(target) && normalize(target) === target && !target.includes('\0')) return
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${JSON.stringify(target)}: a mount needs an absolute path`, { field: 'target' })
}
