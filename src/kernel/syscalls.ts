import koffi from 'koffi'
import { SystemCallError } from './system-call-error.js'

export { SystemCallError }

/**
 * System calls of the calling thread, through the C library. Blocking, and some of them (setns, unshare) change
 * the thread itself: only the kernel thread may load this file.
 */
const libc = koffi.load(null)

const AS_ERRNO = -1

type Call = (...args: unknown[]) => number

const bind = (name: string, signature: string): Call => checked(name, libc.func(signature) as Call)

function checked(name: string, native: Call): Call {
  return (...args) => {
    for (;;) {
      const result = native(...args)
      if (result !== AS_ERRNO) return result
      const errno = koffi.errno()
      if (errno !== EINTR) throw new SystemCallError(name, errno)
    }
  }
}

const EINTR = 4

const nativeIoctl = libc.func('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)') as Call

const c = {
  socket: bind('socket', 'int socket(int domain, int type, int protocol)'),
  bind: bind('bind', 'int bind(int fd, const uint8_t *address, uint32_t length)'),
  connect: bind('connect', 'int connect(int fd, const uint8_t *address, uint32_t length)'),
  listen: bind('listen', 'int listen(int fd, int backlog)'),
  getsockname: bind('getsockname', 'int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint32_t *length)'),
  setsockopt: bind('setsockopt', 'int setsockopt(int fd, int level, int name, const uint8_t *value, uint32_t length)'),
  getsockopt: bind('getsockopt', 'int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint32_t *length)'),
  send: bind('send', 'intptr_t send(int fd, const uint8_t *buffer, size_t length, int flags)'),
  recv: bind('recv', 'intptr_t recv(int fd, _Out_ uint8_t *buffer, size_t length, int flags)'),
  open: bind('open', 'int open(const char *path, int flags, uint32_t mode)'),
  close: libc.func('int close(int fd)') as Call,
  read: bind('read', 'intptr_t read(int fd, _Out_ uint8_t *buffer, size_t length)'),
  write: bind('write', 'intptr_t write(int fd, const uint8_t *buffer, size_t length)'),
  sched_getaffinity: bind('sched_getaffinity', 'int sched_getaffinity(int pid, size_t size, _Out_ uint8_t *mask)'),
  sched_setaffinity: bind('sched_setaffinity', 'int sched_setaffinity(int pid, size_t size, const uint8_t *mask)'),
  flock: bind('flock', 'int flock(int fd, int operation)'),
  ftruncate: bind('ftruncate', 'int ftruncate(int fd, long length)'),
  socketpair: bind('socketpair', 'int socketpair(int domain, int type, int protocol, _Out_ int32_t *pair)'),
  sethostname: bind('sethostname', 'int sethostname(const char *name, size_t length)'),
  setns: bind('setns', 'int setns(int fd, int type)'),
  unshare: bind('unshare', 'int unshare(int flags)'),
  mount: bind('mount', 'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)'),
  umount2: bind('umount2', 'int umount2(const char *target, int flags)'),
  fcntl: bind('fcntl', 'int fcntl(int fd, int command, intptr_t argument)'),
  ioctl: checked('ioctl', nativeIoctl),
}

export const AF_UNIX = 1
export const AF_INET = 2
export const AF_INET6 = 10
export const AF_NETLINK = 16
export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_RAW = 3
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000
export const O_RDONLY = 0
export const O_RDWR = 2
export const O_CREAT = 0o100
export const O_EXCL = 0o200
export const O_NONBLOCK = 0o4000
export const O_CLOEXEC = 0o2000000
export const CLONE_FS = 0x200
export const CLONE_NEWNS = 0x20000
export const CLONE_NEWUTS = 0x4000000
export const CLONE_NEWNET = 0x40000000
export const MS_RDONLY = 1
export const MS_NOSUID = 2
export const MS_NODEV = 4
export const MS_NOEXEC = 8
export const MS_REMOUNT = 32
export const MS_BIND = 4096
export const MS_REC = 16384
export const MS_PRIVATE = 1 << 18
export const MS_SLAVE = 1 << 19
export const MS_SHARED = 1 << 20
export const MNT_DETACH = 2
export const MSG_PEEK = 2
export const MSG_TRUNC = 0x20
export const MSG_DONTWAIT = 0x40

export const socket = (domain: number, type: number, protocol: number): number => c.socket(domain, type | SOCK_CLOEXEC, protocol)
export const bindSocket = (fd: number, address: Uint8Array): number => c.bind(fd, address, address.length)
export const connect = (fd: number, address: Uint8Array): number => c.connect(fd, address, address.length)
export const listen = (fd: number, backlog: number): number => c.listen(fd, backlog)
/** Never repeated after EINTR: the descriptor is closed by then, and its number may be somebody else's already. */
export function close(fd: number): void {
  if (c.close(fd) === AS_ERRNO && koffi.errno() !== EINTR) throw new SystemCallError('close', koffi.errno())
}
export const open = (path: string, flags: number, mode = 0): number => c.open(path, flags | O_CLOEXEC, mode)
export const setns = (fd: number, type: number): number => c.setns(fd, type)
export const unshare = (flags: number): number => c.unshare(flags)
export const mount = (source: string | null, target: string, type: string | null, flags: number, data: string | null = null): number =>
  c.mount(source, target, type, flags, data)
export const umount = (target: string, flags = MNT_DETACH): number => c.umount2(target, flags)
export const fcntl = (fd: number, command: number, argument: number): number => c.fcntl(fd, command, argument)
/** The same without an exception: a question that is often answered by an error. @returns 0 or the error number */
export const tryIoctl = (fd: number, request: number, argument: Uint8Array): number =>
  nativeIoctl(fd, request, argument) === AS_ERRNO ? koffi.errno() : 0
/** With an argument that the kernel reads and writes; `null` for requests that have none. */
export const ioctl = (fd: number, request: number, argument: Uint8Array | null): number => c.ioctl(fd, request, argument)
export const send = (fd: number, data: Uint8Array, flags = 0): number => c.send(fd, data, data.length, flags)
/** Returns the length of the datagram; with MSG_TRUNC the real one, also when `buffer` was too small. */
export const receive = (fd: number, buffer: Uint8Array, flags = 0): number => c.recv(fd, buffer, buffer.length, flags)
export const read = (fd: number, buffer: Uint8Array): number => c.read(fd, buffer, buffer.length)
export const write = (fd: number, data: Uint8Array): number => c.write(fd, data, data.length)

export function setSocketOption(fd: number, level: number, name: number, value: number | Uint8Array): void {
  const bytes = typeof value === 'number' ? new Uint8Array(new Int32Array([value]).buffer) : value
  c.setsockopt(fd, level, name, bytes, bytes.length)
}

export function socketAddress(fd: number): Uint8Array {
  const bytes = new Uint8Array(128)
  const length = [bytes.length]
  c.getsockname(fd, bytes, length)
  return bytes.subarray(0, length[0])
}

/** Two connected stream sockets. */
export function socketPair(): [number, number] {
  const pair = new Int32Array(2)
  c.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair)
  return [pair[0]!, pair[1]!]
}

/** Of the UTS namespace that the calling thread is in. */
export const setHostname = (name: string): number => c.sethostname(name, Buffer.byteLength(name))

const LOCK_EXCLUSIVE_NOW = 2 | 4
/** For us alone, or EWOULDBLOCK; until the file is closed. */
export const lockFile = (fd: number): number => c.flock(fd, LOCK_EXCLUSIVE_NOW)
const LOCK_EXCLUSIVE = 2
/** The same, once nobody else has it. */
export const waitForLock = (fd: number): number => c.flock(fd, LOCK_EXCLUSIVE)
export const truncateFile = (fd: number): number => c.ftruncate(fd, 0)

const PROCESSOR_MASK_BYTES = 1024
/** The processors that the calling thread may run on. */
export function processors(): number[] {
  const mask = new Uint8Array(PROCESSOR_MASK_BYTES)
  c.sched_getaffinity(0, mask.length, mask)
  return [...mask].flatMap((byte, index) => [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => byte & (1 << bit)).map((bit) => index * 8 + bit))
}

/** Has the calling thread run on these processors only. */
export function runOn(wanted: readonly number[]): void {
  const mask = new Uint8Array(PROCESSOR_MASK_BYTES)
  for (const processor of wanted) mask[processor >> 3]! |= 1 << (processor & 7)
  c.sched_setaffinity(0, mask.length, mask)
}
