import koffi from 'koffi'
import { SystemCallError } from '../syscalls.js'
import * as sys from '../syscalls.js'
import { no, YES, type Verdict } from './capabilities.js'
import { attempt } from './verdict.js'
import { procText } from './settings.js'

// Numbers that are the same on every architecture (asm-generic/unistd.h), available since Linux 5.2.
const SYS_OPEN_TREE = 428
const SYS_FSOPEN = 430
const AT_FDCWD = -100
const OPEN_TREE_CLONE = 1
const OPEN_TREE_CLOEXEC = 0o2000000
const FSOPEN_CLOEXEC = 1

function systemCall(name: string, signature: string, ...args: unknown[]): number {
  const result = (koffi.load(null).func(signature) as (...args: unknown[]) => number)(...args)
  if (result === -1) throw new SystemCallError(name, koffi.errno())
  return result
}

/** Asks for a detached copy of the root mount: needs the right to mount, and attaches nothing anywhere. */
function mounts(): Verdict {
  return attempt(() => {
    const signature = 'long syscall(long number, long directory, const char *path, long flags)'
    sys.close(systemCall('open_tree', signature, SYS_OPEN_TREE, AT_FDCWD, '/', OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC))
  })
}

/** Opens a configuration for a file system that is never mounted; the kernel loads its module if it has to. */
function fileSystem(type: string): Verdict {
  return attempt(() => {
    const signature = 'long syscall(long number, const char *type, long flags)'
    sys.close(systemCall(`fsopen ${type}`, signature, SYS_FSOPEN, type, FSOPEN_CLOEXEC))
  })
}

function cgroup2(): Verdict {
  const mounted = mountedFileSystems().find(({ type }) => type === 'cgroup2')
  if (mounted !== undefined) return YES
  const known = /\bcgroup2$/m.test(procText('/proc/filesystems') ?? '')
  return no(known ? 'known to the kernel, but not mounted' : 'unknown to the kernel')
}

function projectQuota(): Verdict {
  if (mountedFileSystems().some(({ options }) => options.some((option) => option === 'prjquota' || option === 'pquota'))) return YES
  return no('no file system is mounted with prjquota')
}

function mountedFileSystems(): { type: string; options: string[] }[] {
  // proc_pid_mountinfo(5): after " - " come type, source and the options of the file system.
  return (procText('/proc/thread-self/mountinfo') ?? '').split('\n').map((line) => {
    const [type = '', , options = ''] = line.slice(line.indexOf(' - ') + 3).split(' ')
    return { type, options: options.split(',') }
  })
}

export const storage = {
  mounts,
  overlayfs: () => fileSystem('overlay'),
  cgroup2,
  'project-quota': projectQuota,
} satisfies Record<string, () => Verdict>
