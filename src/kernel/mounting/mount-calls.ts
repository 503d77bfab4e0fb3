import { fstatSync, readFileSync, statSync } from 'node:fs'
import { constants } from 'node:os'
import { CnmError } from '../../contracts/errors.js'
import { asCnmError, errnoOf } from '../errors.js'
import { parseMountinfo, type Mount } from '../mountinfo.js'
import type { HomeEnvironment } from '../process/environment.js'
import * as sys from '../syscalls.js'
import { mountPoints } from './mount-points.js'
import type { MountRequest, UnmountRequest } from './request.js'
import { openSource } from './source.js'
import { attachMount, O_DIRECTORY, syncFileSystem } from './system-calls.js'
import { checkTargetPath, openTarget } from './target.js'

const { EINVAL, ENOENT, ENOTDIR } = constants.errno
const UMOUNT_NOFOLLOW = 8

/** Mounts for programs: volumes, folders of the host, file systems of their own. */
export interface MountCalls {
  mount(request: MountRequest): void
  /** @returns false when nothing was mounted there */
  unmount(request: UnmountRequest): boolean
  /** The mounts of an environment; `null` when there is no such environment. */
  mountsInside(environment: string): Mount[] | null
  /** Whether what is mounted at a target in an environment is this folder or file. */
  isMounted(environment: string, source: string, target: string): boolean
  openInside(environment: string, path: string): number
  /** For whom mount points were made, by the beginning of the users' names. */
  mountPointUsers(prefix: string): { user: string; target: string }[]
  forgetMountPoints(target: string, user: string): void
}

export function mountCalls(home: () => HomeEnvironment): MountCalls {
  const inside = <T>(environment: string | undefined, body: () => T): T =>
    environment === undefined ? body() : home().inside(environment, body)
  return {
    mount: (request) => explained(describe(request), () => mount(request, (body) => inside(request.environment, body))),
    unmount: (request) => explained(`umount ${request.target}`, () => inside(request.environment, () => unmount(request))),
    mountsInside: (environment) => (home().has(environment) ? inside(environment, mountsOfThread) : null),
    isMounted: (environment, source, target) => {
      const { dev, ino } = statSync(source)
      return inside(environment, () => mountsOfThread().some((each) => each.target === target) && isSame(target, dev, ino))
    },
    openInside: (environment, path) => explained(`open ${path}`, () => inside(environment, () => openFolder(path))),
    mountPointUsers: (prefix) => mountPoints.users(prefix),
    forgetMountPoints: (target, user) => mountPoints.forget(target, user),
  }
}

function mount(request: MountRequest, inside: (body: () => void) => void): void {
  const { target, makeTarget } = request
  checkTargetPath(target)
  const source = openSource(request)
  try {
    const folder = fstatSync(source).isDirectory()
    inside(() => {
      if (makeTarget !== undefined) mountPoints.make(target, folder, makeTarget)
      try {
        attach(source, folder, target)
      } catch (error) {
        if (makeTarget !== undefined) mountPoints.release(target, makeTarget)
        throw error
      }
    })
  } finally {
    sys.close(source)
  }
}

function attach(source: number, folder: boolean, target: string): void {
  const place = openTarget(target)
  try {
    if (fstatSync(place).isDirectory() !== folder) {
      const message = `${target} is ${folder ? 'no folder' : 'a folder'}: a ${folder ? 'folder' : 'file'} cannot be mounted there`
      throw new CnmError('ERR_CNM_INVALID_ARGUMENT', message, { field: 'target' })
    }
    attachMount(source, place)
  } finally {
    sys.close(place)
  }
}

function unmount({ target, detach, madeFor }: UnmountRequest): boolean {
  checkTargetPath(target)
  const was = detach === true ? takeAway(target, sys.MNT_DETACH) : writeOut(target) && takeAway(target, 0)
  if (madeFor !== undefined) mountPoints.release(target, madeFor)
  return was
}

/** Whoever mounts the same next, on this host or another, finds everything that was written. */
function writeOut(target: string): boolean {
  try {
    const place = sys.open(target, sys.O_RDONLY | sys.O_NONBLOCK)
    try {
      syncFileSystem(place)
    } finally {
      sys.close(place)
    }
    return true
  } catch (error) {
    if (isNothing(error)) return false
    throw error
  }
}

function takeAway(target: string, flags: number): boolean {
  try {
    sys.umount(target, flags | UMOUNT_NOFOLLOW)
    return true
  } catch (error) {
    if (isNothing(error)) return false
    throw error
  }
}

function openFolder(path: string): number {
  checkTargetPath(path)
  const place = openTarget(path)
  try {
    return sys.open(`/proc/thread-self/fd/${place}`, sys.O_RDONLY | O_DIRECTORY)
  } finally {
    sys.close(place)
  }
}

/** What the kernel says when nothing is mounted there, or when there is no such place. */
const isNothing = (error: unknown): boolean => [EINVAL, ENOENT, ENOTDIR].includes(errnoOf(error) ?? 0)

function isSame(target: string, dev: number, ino: number): boolean {
  const there = statSync(target)
  return there.dev === dev && there.ino === ino
}

const mountsOfThread = (): Mount[] => parseMountinfo(readFileSync('/proc/thread-self/mountinfo', 'utf8'))

/** In words near to the shell's, without options: there may be a password in them. */
function describe({ source, target, flags = [] }: MountRequest): string {
  const options = flags.length === 0 ? '' : ` -o ${flags.join(',')}`
  if (!('bind' in source)) return `mount -t ${source.type}${options} ${source.device} ${target}`
  const path = source.subpath === undefined ? source.bind : `${source.bind}/${source.subpath}`
  return `mount --${source.recursive ? 'rbind' : 'bind'}${options} ${path} ${target}`
}

function explained<T>(operation: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    throw asCnmError(error, operation, 'mount')
  }
}
