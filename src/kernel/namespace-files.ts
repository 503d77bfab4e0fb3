/** Network namespaces held by a bind mount on a file, the way ip-netns(8) does it. */
import { closeSync, constants, existsSync, lstatSync, mkdirSync, openSync, unlinkSync } from 'node:fs'
import { constants as os } from 'node:os'
import { dirname, isAbsolute, normalize } from 'node:path'
import { CnmError } from '../contracts/errors.js'
import { errnoOf } from './errors.js'
import { CURRENT_NETNS, isNamespacePath } from './namespaces.js'
import * as sys from './syscalls.js'

const { EEXIST, EINVAL } = os.errno
/** Where ip-netns(8) keeps its names; it shares this folder between mount namespaces. */
const NAMED = new Set(['/run/netns', '/var/run/netns'])
const READ_FOR_ALL = 0o755

/**
 * Binds a namespace to a file that is made for it. An empty file that is there already (left
 * by somebody who died before mounting) is used when `reuse` is set.
 * @param source path of the namespace, by default that of the calling thread
 * @throws SystemCallError EEXIST
 */
export function bindNamespace(path: string, { source = CURRENT_NETNS, reuse = false } = {}): void {
  const made = makeFile(path, reuse)
  try {
    sys.mount(source, path, 'none', sys.MS_BIND)
  } catch (error) {
    if (made) unlinkSync(path)
    throw error
  }
}

/** Unmounts and removes the file; the namespace lives on while a process, a socket or a descriptor is in it. */
export function dropNamespace(path: string): void {
  sys.umount(path)
  unlinkSync(path)
}

/** Removes an empty file that was made to hold a namespace and never did. @returns whether there was one */
export function dropStaleFile(path: string): boolean {
  if (!isStaleFile(path)) return false
  unlinkSync(path)
  return true
}

function isStaleFile(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false })
  return found !== undefined && found.isFile() && found.size === 0 && !isNamespacePath(path)
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT, ERR_CNM_NAMESPACE_NOT_FOUND */
export function checkDroppable(path: string): void {
  checkPath(path)
  if (isNamespacePath(path)) return
  throw new CnmError('ERR_CNM_NAMESPACE_NOT_FOUND', `no network namespace at ${path}`, { object: `namespace ${path}` })
}

/** Only a path can hold a namespace; `host` and processes hold themselves. */
export function checkPath(path: string): void {
  if (isAbsolute(path) && normalize(path) === path && !path.includes('\0')) return
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${JSON.stringify(path)}: a namespace is held by an absolute path`, { field: 'at' })
}

/**
 * Makes the folder for named namespaces, and shares its mounts as ip-netns(8) does: a name made here must be seen by,
 * and a name removed here must go from, processes in other mount namespaces, or they keep the namespace alive.
 */
export class NamespaceFolders {
  #shared = new Set<string>()

  prepare(path: string): void {
    const folder = dirname(path)
    if (this.#shared.has(folder) && existsSync(folder)) return
    mkdirSync(folder, { recursive: true, mode: READ_FOR_ALL })
    if (NAMED.has(folder)) share(folder)
    this.#shared.add(folder)
  }
}

function share(folder: string): void {
  try {
    sys.mount('', folder, 'none', sys.MS_SHARED | sys.MS_REC)
  } catch (error) {
    // Not a mount point yet: it becomes one by being bound to itself.
    if (errnoOf(error) !== EINVAL) throw error
    sys.mount(folder, folder, 'none', sys.MS_BIND | sys.MS_REC)
    sys.mount('', folder, 'none', sys.MS_SHARED | sys.MS_REC)
  }
}

function makeFile(path: string, reuse: boolean): boolean {
  try {
    closeSync(openSync(path, constants.O_RDONLY | constants.O_CREAT | constants.O_EXCL, 0))
    return true
  } catch (error) {
    if (errnoOf(error) !== EEXIST || !reuse || !isStaleFile(path)) throw error
    return false
  }
}
