import koffi from 'koffi'
import { errnoText } from '../errno.js'
import * as sys from '../syscalls.js'
import { SystemCallError } from '../system-call-error.js'

/**
 * The mount system calls that work on descriptors (open_tree(2), move_mount(2), fsopen(2), mount_setattr(2), openat2(2)).
 * The C library of older systems has no functions for them; their numbers are the same on every architecture.
 */
const libc = koffi.load(null)
type Call = (...args: unknown[]) => number

const SYS_OPEN_TREE = 428
const SYS_MOVE_MOUNT = 429
const SYS_FSOPEN = 430
const SYS_FSCONFIG = 431
const SYS_FSMOUNT = 432
const SYS_OPENAT2 = 437
const SYS_MOUNT_SETATTR = 442

const c = {
  openTree: libc.func('long syscall(long number, long directory, const char *path, long flags)') as Call,
  moveMount: libc.func('long syscall(long number, long from, const char *fromPath, long to, const char *toPath, long flags)') as Call,
  fsopen: libc.func('long syscall(long number, const char *type, long flags)') as Call,
  fsconfig: libc.func('long syscall(long number, long fd, long command, const char *key, const char *value, long auxiliary)') as Call,
  fsmount: libc.func('long syscall(long number, long fd, long flags, long attributes)') as Call,
  openat2: libc.func('long syscall(long number, long directory, const char *path, const uint8_t *how, long size)') as Call,
  setattr: libc.func(
    'long syscall(long number, long directory, const char *path, long flags, const uint8_t *attributes, long size)',
  ) as Call,
  mkdirat: libc.func('int mkdirat(int directory, const char *name, uint32_t mode)') as Call,
  unlinkat: libc.func('int unlinkat(int directory, const char *name, int flags)') as Call,
  syncfs: libc.func('int syncfs(int fd)') as Call,
}

const EINTR = 4
function checked(name: string, native: Call, ...args: unknown[]): number {
  for (;;) {
    const result = native(...args)
    if (result !== -1) return result
    if (koffi.errno() !== EINTR) throw new SystemCallError(name, koffi.errno())
  }
}

export const AT_FDCWD = -100
const AT_EMPTY_PATH = 0x1000
const AT_RECURSIVE = 0x8000
const AT_REMOVEDIR = 0x200
const OPEN_TREE_CLONE = 1
const CLOSE_ON_EXEC = 0o2000000
const FSOPEN_CLOEXEC = 1
const FSMOUNT_CLOEXEC = 1
const FSCONFIG_SET_FLAG = 0
const FSCONFIG_SET_STRING = 1
const FSCONFIG_CMD_CREATE = 6
const MOVE_MOUNT_EMPTY_PATHS = 0x4 | 0x40
export const O_PATH = 0o10000000
export const O_DIRECTORY = 0o200000
export const O_NOFOLLOW = 0o400000
export const RESOLVE_NO_MAGICLINKS = 2
export const RESOLVE_NO_SYMLINKS = 4
export const RESOLVE_BENEATH = 8

/** A copy of the mount that an open file is in, cut off at that file, attached nowhere. @returns a descriptor */
export const cloneMount = (fd: number, recursive: boolean): number =>
  checked('open_tree', c.openTree, SYS_OPEN_TREE, fd, '', OPEN_TREE_CLONE | CLOSE_ON_EXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0))

/** Attaches a mount that is attached nowhere. */
export const attachMount = (mount: number, target: number): number =>
  checked('move_mount', c.moveMount, SYS_MOVE_MOUNT, mount, '', target, '', MOVE_MOUNT_EMPTY_PATHS)

export interface MountAttributes {
  set: number
  clear: number
  propagation: number
}

export function setMountAttributes(mount: number, { set, clear, propagation }: MountAttributes, recursive: boolean): void {
  const bytes = new Uint8Array(new BigUint64Array([set, clear, propagation, 0].map(BigInt)).buffer)
  checked('mount_setattr', c.setattr, SYS_MOUNT_SETATTR, mount, '', AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), bytes, bytes.length)
}

/** @param resolve RESOLVE_ flags: what a path may not lead through */
export function openAt(directory: number, path: string, flags: number, resolve: number): number {
  const how = new Uint8Array(new BigUint64Array([flags | CLOSE_ON_EXEC, 0, resolve].map(BigInt)).buffer)
  return checked('openat2', c.openat2, SYS_OPENAT2, directory, path, how, how.length)
}

export const makeFolderAt = (directory: number, name: string, mode: number): number => checked('mkdirat', c.mkdirat, directory, name, mode)
/** Removes an empty folder or a file. */
export const removeAt = (directory: number, name: string, folder: boolean): number =>
  checked('unlinkat', c.unlinkat, directory, name, folder ? AT_REMOVEDIR : 0)
/** Writes out everything that the file system of an open file still has to write. */
export const syncFileSystem = (fd: number): number => checked('syncfs', c.syncfs, fd)

/** A file system that is being configured; what its kernel code says about a failure is in the error. */
export class FileSystemContext {
  readonly #fd: number

  constructor(type: string) {
    this.#fd = checked('fsopen', c.fsopen, SYS_FSOPEN, type, FSOPEN_CLOEXEC)
  }
  flag(name: string): void {
    this.#configure(FSCONFIG_SET_FLAG, name, null)
  }
  text(name: string, value: string): void {
    this.#configure(FSCONFIG_SET_STRING, name, value)
  }
  /** @returns descriptor of a mount that is attached nowhere */
  mount(attributes: number): number {
    this.#configure(FSCONFIG_CMD_CREATE, null, null)
    return this.#explained(() => checked('fsmount', c.fsmount, SYS_FSMOUNT, this.#fd, FSMOUNT_CLOEXEC, attributes))
  }
  close(): void {
    sys.close(this.#fd)
  }

  #configure(command: number, name: string | null, value: string | null): void {
    this.#explained(() =>
      checked(name === null ? 'fsconfig' : `option ${name}`, c.fsconfig, SYS_FSCONFIG, this.#fd, command, name, value, 0),
    )
  }
  #explained<T>(body: () => T): T {
    try {
      return body()
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error
      const said = this.#messages()
      const text = said.length > 0 ? said.join('; ') : `${error.syscall}: ${errnoText(error.errno)}`
      throw Object.assign(new SystemCallError(error.syscall, error.errno), { kernelText: text })
    }
  }
  /** Each read gives one message, `e nfs: mount program didn't pass remote address`; ENODATA when there is none left. */
  #messages(): string[] {
    const buffer = new Uint8Array(1024)
    const messages: string[] = []
    for (;;) {
      try {
        const length = sys.read(this.#fd, buffer)
        messages.push(
          Buffer.from(buffer.subarray(0, length))
            .toString('utf8')
            .replace(/^[ewi] /, '')
            .trim(),
        )
      } catch {
        return messages
      }
    }
  }
}
