import koffi from 'koffi'
import { constants } from 'node:os'
import { CnmError } from '../../contracts/errors.js'
import { SystemCallError } from '../system-call-error.js'
import * as sys from '../syscalls.js'

/**
 * Limits for a folder and everything below it: files there belong to a project, which the file system counts (ext4, xfs,
 * f2fs mounted with `prjquota`). quotactl_fd(2) takes the file system of an open file, so no device has to be known.
 */
const SYS_QUOTACTL_FD = 443
const PRJQUOTA = 2
const Q_GETQUOTA = 0x800007
const Q_SETQUOTA = 0x800008
const SUBCOMMAND_SHIFT = 8
/** struct fsxattr of linux/fs.h: flags, extent size, number of extents, project. */
const FS_IOC_FSGETXATTR = 0x801c581f
const FS_IOC_FSSETXATTR = 0x401c5820
const FSXATTR_LENGTH = 28
const PROJECT_OFFSET = 12
const PROJECT_INHERITED = 0x200
/** struct if_dqblk of linux/quota.h: hard limit of blocks (of 1024 bytes), soft limit, bytes in use, ..., which are valid. */
const DQBLK_LENGTH = 72
const SPACE_OFFSET = 16
const VALID_OFFSET = 64
const VALID_BLOCK_LIMITS = 1
const BLOCK = 1024
/** Projects of administrators are small numbers, as a rule. */
const FIRST_PROJECT = 0x40000000
const ATTEMPTS = 50
const { ENOENT, ESRCH, ENOSYS, ENOTTY, EOPNOTSUPP, EINVAL } = constants.errno

const native = koffi.load(null).func('long syscall(long number, long fd, long command, long id, _Inout_ uint8_t *data)') as (
  ...args: unknown[]
) => number

function quotactl(fd: number, subcommand: number, project: number, data: Uint8Array): void {
  const command = (subcommand << SUBCOMMAND_SHIFT) | PRJQUOTA
  if (native(SYS_QUOTACTL_FD, fd, command, project, data) === -1) throw new SystemCallError('quotactl_fd', koffi.errno())
}

/**
 * Limits a folder that is empty. @returns false where the file system does not count projects
 * @param bytes 0 takes the limit away
 */
export function limitFolder(fd: number, bytes: number): boolean {
  try {
    const project = projectOf(fd) || freeProject(fd)
    setLimit(fd, project, bytes)
    setProject(fd, project)
    return true
  } catch (error) {
    if (error instanceof SystemCallError && [ENOENT, ESRCH, ENOSYS, ENOTTY, EOPNOTSUPP, EINVAL].includes(error.errno)) return false
    throw error
  }
}

/** Before the folder goes: its project is nobody's then. */
export function unlimitFolder(fd: number): void {
  const project = tryProject(fd)
  if (project >= FIRST_PROJECT) limitFolder(fd, 0)
}

function tryProject(fd: number): number {
  const attributes = new Uint8Array(FSXATTR_LENGTH)
  return sys.tryIoctl(fd, FS_IOC_FSGETXATTR, attributes) === 0 ? Buffer.from(attributes.buffer).readUInt32LE(PROJECT_OFFSET) : 0
}

function projectOf(fd: number): number {
  const attributes = new Uint8Array(FSXATTR_LENGTH)
  sys.ioctl(fd, FS_IOC_FSGETXATTR, attributes)
  return Buffer.from(attributes.buffer).readUInt32LE(PROJECT_OFFSET)
}

function setProject(fd: number, project: number): void {
  const attributes = new Uint8Array(FSXATTR_LENGTH)
  sys.ioctl(fd, FS_IOC_FSGETXATTR, attributes)
  const view = Buffer.from(attributes.buffer)
  view.writeUInt32LE((view.readUInt32LE(0) | PROJECT_INHERITED) >>> 0, 0)
  view.writeUInt32LE(project, PROJECT_OFFSET)
  sys.ioctl(fd, FS_IOC_FSSETXATTR, attributes)
}

/** One that has no limit and no files. */
function freeProject(fd: number): number {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const project = FIRST_PROJECT + Math.floor(Math.random() * FIRST_PROJECT)
    if (isFree(fd, project)) return project
  }
  throw new CnmError('ERR_CNM_KERNEL', 'no free project number for a quota')
}

function isFree(fd: number, project: number): boolean {
  const quota = new Uint8Array(DQBLK_LENGTH)
  try {
    quotactl(fd, Q_GETQUOTA, project, quota)
  } catch (error) {
    // xfs has no entry for a project that nobody uses.
    if (error instanceof SystemCallError && error.errno === ENOENT) return true
    throw error
  }
  return quota.subarray(0, SPACE_OFFSET + 8).every((byte) => byte === 0)
}

function setLimit(fd: number, project: number, bytes: number): void {
  const quota = Buffer.alloc(DQBLK_LENGTH)
  const blocks = BigInt(Math.ceil(bytes / BLOCK))
  quota.writeBigUInt64LE(blocks, 0)
  quota.writeBigUInt64LE(blocks, 8)
  quota.writeUInt32LE(VALID_BLOCK_LIMITS, VALID_OFFSET)
  quotactl(fd, Q_SETQUOTA, project, quota)
}
