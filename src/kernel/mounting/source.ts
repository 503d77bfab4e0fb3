import { CnmError } from '../../contracts/errors.js'
import { errnoOf } from '../errors.js'
import * as sys from '../syscalls.js'
import { attributesOf, changeOf, isRecursive } from './flags.js'
import type { BindSource, FileSystemSource, MountRequest } from './request.js'
import * as mount from './system-calls.js'

const EAGAIN = 11
const EXDEV = 18
const ELOOP = 40
/** openat2(2) gives up with EAGAIN when something is renamed while it looks. */
const ATTEMPTS = 100

/** Makes what a request wants to mount, attached nowhere yet. @returns its descriptor, which the caller closes */
export const openSource = (request: MountRequest): number =>
  'bind' in request.source ? openBind(request.source, request) : openFileSystem(request.source, request)

function openBind(source: BindSource, { flags = [], propagation }: MountRequest): number {
  const origin = openBeneath(source)
  let copy: number
  try {
    copy = mount.cloneMount(origin, source.recursive ?? false)
  } finally {
    sys.close(origin)
  }
  return changed(copy, () => {
    // Restrictions go for everything that comes along; how mounts spread, only for the top if it was asked for so.
    if (flags.length > 0) mount.setMountAttributes(copy, changeOf(flags, undefined), true)
    if (propagation !== undefined) mount.setMountAttributes(copy, changeOf([], propagation), isRecursive(propagation))
  })
}

function openFileSystem({ type, device, options }: FileSystemSource, { flags = [], propagation }: MountRequest): number {
  const context = new mount.FileSystemContext(type)
  let made: number
  try {
    context.text('source', device)
    if (flags.includes('ro')) context.flag('ro')
    for (const option of options) {
      const at = option.indexOf('=')
      if (at < 0) context.flag(option)
      else context.text(option.slice(0, at), option.slice(at + 1))
    }
    made = context.mount(attributesOf(flags))
  } finally {
    context.close()
  }
  return changed(made, () => {
    if (propagation !== undefined) mount.setMountAttributes(made, changeOf([], propagation), isRecursive(propagation))
  })
}

function changed(fd: number, body: () => void): number {
  try {
    body()
    return fd
  } catch (error) {
    sys.close(fd)
    throw error
  }
}

/**
 * Opens the source, or what lies below it. The kernel itself watches over every step of the way, so that whoever swaps
 * folders for links meanwhile gains nothing.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT when the way leads out
 */
function openBeneath({ bind, subpath }: BindSource): number {
  const top = mount.openAt(mount.AT_FDCWD, bind, mount.O_PATH, mount.RESOLVE_NO_MAGICLINKS)
  if (subpath === undefined) return top
  try {
    return retried(() => mount.openAt(top, subpath, mount.O_PATH, mount.RESOLVE_BENEATH | mount.RESOLVE_NO_MAGICLINKS))
  } catch (error) {
    const errno = errnoOf(error)
    if (errno !== EXDEV && errno !== ELOOP) throw error
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `subpath ${subpath} leads out of ${bind}`, { field: 'subpath', cause: error })
  } finally {
    sys.close(top)
  }
}

function retried<T>(body: () => T): T {
  for (let attempt = 1; ; attempt++) {
    try {
      return body()
    } catch (error) {
      if (errnoOf(error) !== EAGAIN || attempt === ATTEMPTS) throw error
    }
  }
}
