import { createHash } from 'node:crypto'
import { existsSync, fstatSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { errnoOf } from '../errors.js'
import * as sys from '../syscalls.js'
import * as mount from './system-calls.js'
import { existsAt, makeAt, walkTo, type Step } from './target.js'

const { ENOENT, ENOTEMPTY, EBUSY, EEXIST, ENOTDIR, ELOOP } = constants.errno
const DIRECTORY = '/run/libcnm/mount-points'
const LOCK = '/run/libcnm/mount-points.lock'

/**
 * Folders (and empty files) that were made because something had to be mounted there. Several sandboxes see the same
 * host folder, and removing a folder takes away what others have mounted on it: so each has a list of users, a file per
 * user in a folder of its own, and goes with the last. The list is written before the folder is made.
 */
export const mountPoints = {
  /** Makes the target and the folders on the way, as far as they are missing. */
  make(target: string, folder: boolean, user: string): void {
    locked(() =>
      walkTo(target, (step, last) => {
        const exists = existsAt(step.parent, step.name)
        if (!exists || existsSync(listOf(step))) {
          mkdirSync(listOf(step), { recursive: true, mode: 0o700 })
          writeFileSync(join(listOf(step), user), target, { mode: 0o600 })
        }
        if (!exists) makeAt(step.parent, step.name, folder || !last)
        return true
      }),
    )
  },

  /** Gives back what was made for the user on the way to this target, deepest first; what is not empty stays. */
  release(target: string, user: string): void {
    locked(() => {
      // Removing a step makes the ones above it removable, so the way is walked once per step.
      for (let depth = target.split('/').length - 1; depth > 0; depth--) releaseStep(target, depth, user)
    })
  },

  /** The same for a user whose way to the target may be gone: then its names are taken off the lists all the same. */
  forget(target: string, user: string): void {
    mountPoints.release(target, user)
    locked(() => {
      for (const list of readFolder(DIRECTORY)) {
        rmSync(join(DIRECTORY, list, user), { force: true })
        dropEmpty(join(DIRECTORY, list))
      }
    })
  },

  /** Users on any list whose name begins like this, with their targets. */
  users(prefix: string): { user: string; target: string }[] {
    const found = new Map<string, string>()
    for (const list of readFolder(DIRECTORY))
      for (const user of readFolder(join(DIRECTORY, list)).filter((name) => name.startsWith(prefix)))
        found.set(user, readFileSync(join(DIRECTORY, list, user), 'utf8'))
    return [...found].map(([user, target]) => ({ user, target }))
  },
}

const listOf = ({ key }: Step): string => join(DIRECTORY, createHash('sha256').update(key).digest('hex').slice(0, 32))

function releaseStep(target: string, depth: number, user: string): void {
  let at = 0
  try {
    walkTo(target, (step) => {
      if (++at < depth) return true
      const list = listOf(step)
      if (!existsSync(join(list, user))) return false
      rmSync(join(list, user))
      if (dropEmpty(list)) removeEmpty(step)
      return false
    })
  } catch (error) {
    // The way is not there any more, or something else is in it.
    if (![ENOENT, ENOTDIR, ELOOP].includes(errnoOf(error) ?? 0)) throw error
  }
}

function removeEmpty({ parent, name }: Step): void {
  try {
    const fd = mount.openAt(parent, name, mount.O_PATH | mount.O_NOFOLLOW, 0)
    const stat = fstatSync(fd)
    sys.close(fd)
    if (stat.isDirectory()) mount.removeAt(parent, name, true)
    else if (stat.isFile() && stat.size === 0) mount.removeAt(parent, name, false)
  } catch (error) {
    if (![ENOENT, ENOTEMPTY, EBUSY, EEXIST].includes(errnoOf(error) ?? 0)) throw error
  }
}

/** @returns whether nobody is left on the list */
function dropEmpty(list: string): boolean {
  try {
    rmdirSync(list)
    return true
  } catch (error) {
    if (errnoOf(error) === ENOTEMPTY) return false
    throw error
  }
}

function readFolder(path: string): string[] {
  return existsSync(path) ? readdirSync(path) : []
}

function locked(body: () => void): void {
  mkdirSync(DIRECTORY, { recursive: true, mode: 0o700 })
  const fd = sys.open(LOCK, sys.O_RDWR | sys.O_CREAT, 0o600)
  try {
    sys.waitForLock(fd)
    body()
  } finally {
    sys.close(fd)
  }
}
