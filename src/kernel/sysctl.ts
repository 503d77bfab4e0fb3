import { readFileSync, writeFileSync } from 'node:fs'
import { CnmError } from '../contracts/errors.js'
import type { ObjectHandler } from './handler.js'

/**
 * Kernel parameters. The files under /proc/sys/net show those of the network namespace that the reading thread is in;
 * everything else under /proc/sys is the machine's.
 */
export const sysctlHandler: ObjectHandler<'sysctl'> = {
  create({ at, path, value }, context) {
    context.flush()
    context.inside(at, () => writeSysctl(path, value))
  },
  change(_from, { at, path, value }, context) {
    context.flush()
    context.inside(at, () => writeSysctl(path, value))
  },
  /** A parameter cannot go: whoever wants another value afterwards says which. */
  remove({ at, path, after }, context) {
    sysctlFile(path)
    if (after === undefined) return
    context.flush()
    context.inside(at, () => writeSysctl(path, after))
  },
  read: (object, context) => context.inside(object.at, () => ({ ...object, value: readSysctl(object.path) })),
  describe: (action, { path, value, after }) =>
    leavesAlone(action, after) ? `leave sysctl ${path}` : `sysctl -w ${path}=${action === 'delete' ? after : value}`,
}

const leavesAlone = (action: string, after: string | undefined): boolean => action === 'delete' && after === undefined

/** The value without the newline at its end, in the namespace of the calling thread. */
export const readSysctl = (path: string): string => readFileSync(sysctlFile(path), 'utf8').trimEnd()

/** Writes only what differs: a write has effects (forwarding resets redirects, IPv6 off drops addresses). */
export function writeSysctl(path: string, value: string): void {
  const file = sysctlFile(path)
  if (isSame(readFileSync(file, 'utf8'), value)) return
  writeFileSync(file, value)
}

/** `net/ipv4/ip_forward` to its file. @throws CnmError ERR_CNM_INVALID_ARGUMENT for a path that leads elsewhere */
function sysctlFile(path: string): string {
  const parts = path.split('/')
  if (parts.length > 1 && parts.every((part) => part !== '' && part !== '.' && part !== '..' && !part.includes('\0')))
    return `/proc/sys/${path}`
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `${JSON.stringify(path)}: a parameter is named like net/ipv4/ip_forward`, {
    field: 'path',
  })
}

/** The kernel separates numbers by tabs, people by spaces. */
function isSame(present: string, wanted: string): boolean {
  const words = (text: string): string => text.trim().split(/\s+/).join(' ')
  return words(present) === words(wanted)
}
