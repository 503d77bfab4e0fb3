import { readdirSync } from 'node:fs'
import { CnmError } from '../../contracts/errors.js'
import { u16, u32 } from '../netlink/reader.js'
import * as sys from '../syscalls.js'

const SOL_NETLINK = 270
const SOL_SOCKET = 1
const SO_RCVBUF = 8
const NETLINK_NO_ENOBUFS = 5
const NETLINK_LISTEN_ALL_NSID = 8

/**
 * Prepares the netlink socket that the program's thread waits on, before it joins any group. That socket only wakes:
 * its buffer is as small as the kernel allows, and what does not fit is dropped without an error. The error would be
 * worse than useless: it reaches libuv as an error condition of the descriptor, which the native code of the netlink
 * package (0.3.0) turns into the end of the process.
 *
 * Descriptors belong to the process, and options to the socket, so this thread may set them.
 */
export function prepareWakeSocket(port: number, allNamespaces: boolean): void {
  const fd = netlinkDescriptor(port)
  sys.setSocketOption(fd, SOL_NETLINK, NETLINK_NO_ENOBUFS, 1)
  sys.setSocketOption(fd, SOL_SOCKET, SO_RCVBUF, 1)
  if (allNamespaces) sys.setSocketOption(fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, 1)
}

/** The descriptor of this process's netlink socket that is bound to `port`, a number unique within a protocol. */
function netlinkDescriptor(port: number): number {
  const found = readdirSync('/proc/self/fd')
    .map(Number)
    .find((fd) => netlinkPort(fd) === port)
  if (found === undefined) throw new CnmError('ERR_CNM_KERNEL', `no netlink socket of this process has port ${port}`)
  return found
}

function netlinkPort(fd: number): number | undefined {
  try {
    const address = sys.socketAddress(fd)
    return u16(address) === sys.AF_NETLINK ? u32(address, 4) : undefined
  } catch {
    // not a socket, or closed meanwhile
    return undefined
  }
}
