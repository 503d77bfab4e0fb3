// What the fresh namespaces of test/run.mjs need before tests can run in them. No `ip` or `mount` binary: the machine
// may have neither.
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import koffi from 'koffi'

const MS_BIND = 4096
const MS_REC = 16384
const AF_INET = 2
const SOCK_DGRAM = 2
const SIOCGIFFLAGS = 0x8913
const SIOCSIFFLAGS = 0x8914
const IFF_UP = 1
const IFREQ_LENGTH = 40
const IFNAMSIZ = 16

const libc = koffi.load(null)
const c = {
  mount: libc.func('int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)'),
  socket: libc.func('int socket(int domain, int type, int protocol)'),
  ioctl: libc.func('int ioctl(int fd, unsigned long request, _Inout_ uint8_t *argument)'),
  close: libc.func('int close(int fd)'),
}

/**
 * Own /proc, /sys, /run and /var/lib, and loopback up.
 * @param {string} root the checkout, which must stay visible
 * @returns {string[]} what could not be had
 */
export function enterPrivateWorld(root) {
  const notes = []
  const attempt = (what, body) => {
    try {
      body()
    } catch (error) {
      notes.push(`${what}: ${error.message}`)
    }
  }
  const mustStay = [root, process.execPath, homedir()]
  mount('tmpfs', '/run', 'tmpfs')
  mkdirSync('/run/netns')
  attempt('own /proc', () => mount('proc', '/proc', 'proc'))
  attempt('own /sys', freshSys)
  // The default state directory is below it; tests that use it must not find or leave anything on the machine.
  if (!mustStay.some((path) => path.startsWith('/var/lib/'))) attempt('own /var/lib', () => mount('tmpfs', '/var/lib', 'tmpfs'))
  loopbackUp()
  return notes
}

/** /sys shows the network namespace in which it was mounted. Control groups stay as they were, runtimes need them. */
function freshSys() {
  const keep = '/run/keep-cgroup'
  const groups = existsSync('/sys/fs/cgroup')
  if (groups) {
    mkdirSync(keep)
    mount('/sys/fs/cgroup', keep, null, MS_BIND | MS_REC)
  }
  mount('sysfs', '/sys', 'sysfs')
  if (groups) mount(keep, '/sys/fs/cgroup', null, MS_BIND | MS_REC)
}

function mount(source, target, type, flags = 0) {
  check('mount', c.mount(source, target, type, flags, null), target)
}

/** `ip link set lo up` */
function loopbackUp() {
  const fd = check('socket', c.socket(AF_INET, SOCK_DGRAM, 0))
  // struct ifreq { char ifr_name[16]; short ifr_flags; ... }
  const request = Buffer.alloc(IFREQ_LENGTH)
  request.write('lo')
  check('ioctl', c.ioctl(fd, SIOCGIFFLAGS, request), 'lo')
  request.writeInt16LE(request.readInt16LE(IFNAMSIZ) | IFF_UP, IFNAMSIZ)
  check('ioctl', c.ioctl(fd, SIOCSIFFLAGS, request), 'lo')
  c.close(fd)
}

function check(call, result, subject = '') {
  if (result >= 0) return result
  throw new Error(`${call} ${subject} failed with errno ${koffi.errno()}`)
}
