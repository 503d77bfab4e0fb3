import { fstatSync } from 'node:fs'
import { constants } from 'node:os'
import { isAbsolute, normalize } from 'node:path'
import { CnmError } from '../../contracts/errors.js'
import { errnoOf } from '../errors.js'
import * as sys from '../syscalls.js'
import * as mount from './system-calls.js'

const { ENOENT, EEXIST, ELOOP } = constants.errno
const NO_LINKS = mount.RESOLVE_NO_SYMLINKS | mount.RESOLVE_NO_MAGICLINKS
const FOLDER_MODE = 0o755
const FILE_MODE = 0o644

/** A step on the way to a mount point. */
export interface Step {
  /** Open folder. */
  parent: number
  name: string
  /** `<device>:<inode>/<name>`: the same for everybody who gets there, whatever their mounts. */
  key: string
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function checkTargetPath(target: string): void {
  if (isAbsolute(target) && normalize(target) === target && !target.includes('\0') && target !== '/' && !target.endsWith('/')) return
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${JSON.stringify(target)}: a mount needs an absolute path other than /`, {
    field: 'target',
  })
}

/** Opens what is at the path, without following a link anywhere on the way. @throws SystemCallError ENOENT */
export function openTarget(target: string): number {
  try {
    return mount.openAt(mount.AT_FDCWD, target, mount.O_PATH, NO_LINKS)
  } catch (error) {
    if (errnoOf(error) !== ELOOP) throw error
    const message = `${target}: a mount point is not looked for through symbolic links; give the path that they lead to`
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', message, { field: 'target', cause: error })
  }
}

/** Goes down to the target step by step, as far as `visit` wants: it returns false to stop. */
export function walkTo(target: string, visit: (step: Step, last: boolean) => boolean): void {
  const names = target.slice(1).split('/')
  let parent = mount.openAt(mount.AT_FDCWD, '/', mount.O_PATH | mount.O_DIRECTORY, NO_LINKS)
  try {
    for (const [index, name] of names.entries()) {
      const { dev, ino } = fstatSync(parent)
      const last = index === names.length - 1
      if (!visit({ parent, name, key: `${dev}:${ino}/${name}` }, last) || last) return
      const next = mount.openAt(parent, name, mount.O_PATH | mount.O_DIRECTORY, NO_LINKS)
      sys.close(parent)
      parent = next
    }
  } finally {
    sys.close(parent)
  }
}

export function existsAt(parent: number, name: string): boolean {
  try {
    sys.close(mount.openAt(parent, name, mount.O_PATH | mount.O_NOFOLLOW, 0))
    return true
  } catch (error) {
    if (errnoOf(error) === ENOENT) return false
    throw error
  }
}

/** Somebody else having made it meanwhile is fine. */
export function makeAt(parent: number, name: string, folder: boolean): void {
  try {
    if (folder) mount.makeFolderAt(parent, name, FOLDER_MODE)
    else sys.close(sys.open(`/proc/thread-self/fd/${parent}/${name}`, sys.O_CREAT | sys.O_EXCL | sys.O_RDONLY, FILE_MODE))
  } catch (error) {
    if (errnoOf(error) !== EEXIST) throw error
  }
}
