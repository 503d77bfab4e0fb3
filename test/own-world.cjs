// Gives the process that loads it (`node --require`) a network and a mount namespace of its own: empty /run and
// /var/lib, its own /sys, loopback up. Each test file runs in such a process, so that files may run side by side and
// none can touch the machine. CommonJS, because only a synchronous load comes before Node starts the threads that
// would stay behind in the old namespaces. No `ip` or `mount` binary: the machine may have neither.
'use strict'
const { existsSync, mkdirSync } = require('node:fs')
const { homedir } = require('node:os')
const { isMainThread } = require('node:worker_threads')

const CLONE_NEWNS = 0x20000
const CLONE_NEWNET = 0x40000000
const MS_BIND = 4096
const MS_MOVE = 8192
const MS_REC = 16384
const MS_PRIVATE = 1 << 18
const AF_INET = 2
const SOCK_DGRAM = 2
const SIOCGIFFLAGS = 0x8913
const SIOCSIFFLAGS = 0x8914
const IFF_UP = 1
const IFNAMSIZ = 16
const IFREQ_LENGTH = 40

/** What the whole run shares (temporary files), visible in the world of each test file too. */
const SHARED = '/run/libcnm-test'
/** Tells children of this process that they live in its world. */
const DONE = 'LIBCNM_TEST_WORLD'

/**
 * @param {{ unshare: boolean, proc: boolean }} wanted whether to make the namespaces (else the process has them
 *   already), and whether /proc is that of an older process namespace
 * @returns {string[]} what could not be had
 */
function enterOwnWorld({ unshare, proc }) {
  const { mount, namespaces, loopbackUp } = systemCalls()
  const notes = []
  const attempt = (what, body) => {
    try {
      body()
    } catch (error) {
      notes.push(`no own ${what}: ${error.message}`)
    }
  }
  if (unshare) namespaces(CLONE_NEWNS | CLONE_NEWNET)
  mount(null, '/', null, MS_REC | MS_PRIVATE)
  freshRun(mount)
  if (proc) attempt('/proc', () => mount('proc', '/proc', 'proc'))
  attempt('/sys', () => freshSys(mount))
  // The default state directory is in there; the checkout, Node or the home folder might be too.
  const mustStay = [__dirname, process.execPath, homedir()]
  if (!mustStay.some((path) => path.startsWith('/var/lib/'))) attempt('/var/lib', () => mount('tmpfs', '/var/lib', 'tmpfs'))
  loopbackUp()
  return notes
}

function freshRun(mount) {
  const next = existsSync(SHARED) ? `${SHARED}/run-${process.pid}` : '/run'
  mkdirSync(next, { recursive: true })
  mount('tmpfs', next, 'tmpfs')
  mkdirSync(`${next}/netns`)
  mkdirSync(`${next}/libcnm-test/tmp`, { recursive: true })
  if (next === '/run') return
  mount(SHARED, `${next}/libcnm-test`, null, MS_BIND)
  mount(next, '/run', null, MS_MOVE)
}

/** /sys shows the network namespace in which it was mounted. Control groups stay as they were: runtimes need them. */
function freshSys(mount) {
  const groups = '/sys/fs/cgroup'
  if (!existsSync(groups)) return mount('sysfs', '/sys', 'sysfs')
  mkdirSync('/run/cgroup')
  mount(groups, '/run/cgroup', null, MS_BIND | MS_REC)
  mount('sysfs', '/sys', 'sysfs')
  mount('/run/cgroup', groups, null, MS_MOVE)
}

function systemCalls() {
  const koffi = require('koffi')
  const libc = koffi.load(null)
  const native = {
    mount: libc.func('int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)'),
    unshare: libc.func('int unshare(int flags)'),
    socket: libc.func('int socket(int domain, int type, int protocol)'),
    ioctl: libc.func('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)'),
    close: libc.func('int close(int fd)'),
  }
  const call = (name, ...args) => {
    const result = native[name](...args)
    if (result < 0) throw new Error(`${name}(${args.filter((arg) => typeof arg === 'string').join(', ')}) failed, errno ${koffi.errno()}`)
    return result
  }
  return {
    namespaces: (flags) => call('unshare', flags),
    mount: (source, target, type, flags = 0) => call('mount', source, target, type, flags, null),
    /** `ip link set lo up` */
    loopbackUp: () => {
      const fd = call('socket', AF_INET, SOCK_DGRAM, 0)
      // struct ifreq { char ifr_name[16]; short ifr_flags; ... }
      const request = Buffer.alloc(IFREQ_LENGTH)
      request.write('lo')
      call('ioctl', fd, SIOCGIFFLAGS, request)
      request.writeInt16LE(request.readInt16LE(IFNAMSIZ) | IFF_UP, IFNAMSIZ)
      call('ioctl', fd, SIOCSIFFLAGS, request)
      call('close', fd)
    },
  }
}

/** Whether this process was started with `--require` of this file, and not by a process that was. */
const preloaded = module.parent == null || module.parent.id === 'internal/preload'
if (preloaded && isMainThread && process.env[DONE] === undefined && process.env.LIBCNM_TEST_MODE !== 'none' && process.geteuid() === 0) {
  try {
    enterOwnWorld({ unshare: true, proc: false })
    process.env[DONE] = String(process.pid)
  } catch (error) {
    // Tests that change the kernel refuse to run then (isolation.ts); others may.
    process.env.LIBCNM_TEST_WORLD_FAILED = error.message
  }
}

module.exports = { enterOwnWorld, SHARED }
