import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import type { SysctlObject } from '../contracts/kernel-objects.js'
import { CnmError } from '../contracts/errors.js'
import type { ObjectHandler, TransactionContext } from './handler.js'
import { ipv4SettingOf, writeIPv4Setting } from './rtnetlink/index.js'

/**
 * Kernel parameters. The files under /proc/sys/net show those of the network namespace that the reading thread is in;
 * everything else under /proc/sys is the machine's.
 */
export const sysctlHandler: ObjectHandler<'sysctl'> = {
  create: (object, context) => set(object, context),
  change: (_from, object, context) => set(object, context),
  /** A parameter cannot go: whoever wants another value afterwards says which. */
  remove({ at, path, after }, context) {
    sysctlFile(path)
    if (after !== undefined) set({ at, path, value: after }, context)
  },
  read: (object, context) => context.inside(object.at, () => ({ ...object, value: readSysctl(object.path) })),
  describe: (action, { path, value, after }) =>
    leavesAlone(action, after) ? `leave sysctl ${path}` : `sysctl -w ${path}=${action === 'delete' ? after : value}`,
}

function set({ at, path, value }: Pick<SysctlObject, 'at' | 'path' | 'value'>, context: TransactionContext): void {
  const setting = ipv4SettingOf(path, value)
  if (setting !== undefined) return writeIPv4Setting(at, setting, context)
  context.flush()
  context.inside(at, () => writeSysctl(path, value))
}

const leavesAlone = (action: string, after: string | undefined): boolean => action === 'delete' && after === undefined

/** The value without the newline at its end, in the namespace of the calling thread. */
export const readSysctl = (path: string): string => readFileSync(sysctlFile(path), 'utf8').trimEnd()

/** Writes only what differs: a write has effects (forwarding resets redirects, IPv6 off drops addresses). */
export function writeSysctl(path: string, value: string): void {
  const file = openSync(sysctlFile(path), 'r+')
  try {
    if (!isSame(readFileSync(file, 'utf8'), value)) writeSync(file, value, 0)
  } finally {
    closeSync(file)
  }
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
