import koffi from 'koffi'
import { internetAddress } from '../socket-address.js'
import * as sys from '../syscalls.js'
import { SystemCallError } from '../system-call-error.js'

/** A host port to hold: a socket bound to it, so that nobody else can have it. */
export interface PortReservation {
  protocol: 'tcp' | 'udp' | 'sctp'
  /** `0.0.0.0` or `::` for every address. */
  address: string
  port: number
  /** `::` takes IPv4 as well. Default false. */
  bothFamilies?: boolean
  /** Somebody will serve the socket: what comes meanwhile waits. Default: it takes nothing. */
  served?: boolean
}

export type ReservationResult =
  /** Which of the alternatives it was, and its sockets; `-1` where the kernel does not have the protocol. */
  | { chosen: number; fds: number[] }
  /** None could be had. What stood in the way of the last one, and its error number. */
  | { refused: PortReservation; errno: number }

const IPPROTO_IPV6 = 41
const IPPROTO_SCTP = 132
const IPV6_V6ONLY = 26
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_ATTACH_FILTER = 26
const BACKLOG = 1
const SERVED_BACKLOG = 511
const F_DUPFD_CLOEXEC = 1030
const EPROTONOSUPPORT = 93
const ESOCKTNOSUPPORT = 94

/**
 * Holds all ports of the first alternative whose every port is free. Sockets that nobody serves take no packets: those
 * that come before the rules that lead them elsewhere are dropped, not refused.
 * @throws SystemCallError for everything but an alternative that cannot be had
 */
export function reservePorts(alternatives: readonly (readonly PortReservation[])[]): ReservationResult {
  let result: ReservationResult | undefined
  for (let chosen = 0; chosen < alternatives.length; chosen++) {
    const attempt = reserveAll(alternatives[chosen]!)
    if ('fds' in attempt) return { chosen, fds: attempt.fds }
    result = attempt
  }
  return result ?? { chosen: 0, fds: [] }
}

export function releasePorts(fds: readonly number[]): void {
  for (const fd of fds) if (fd >= 0) sys.close(fd)
}

/** Descriptors of the same sockets, for somebody who closes them himself. */
export function duplicatePorts(fds: readonly number[]): number[] {
  const copies: number[] = []
  try {
    for (const fd of fds) copies.push(sys.fcntl(fd, F_DUPFD_CLOEXEC, 0))
    return copies
  } catch (error) {
    releasePorts(copies)
    throw error
  }
}

function reserveAll(reservations: readonly PortReservation[]): { fds: number[] } | { refused: PortReservation; errno: number } {
  const fds: number[] = []
  for (const reservation of reservations) {
    try {
      fds.push(reserve(reservation))
    } catch (error) {
      releasePorts(fds)
      if (error instanceof SystemCallError) return { refused: reservation, errno: error.errno }
      throw error
    }
  }
  return { fds }
}

function reserve({ protocol, address, port, bothFamilies = false, served = false }: PortReservation): number {
  const version6 = address.includes(':')
  const fd = openSocket(version6 ? sys.AF_INET6 : sys.AF_INET, protocol)
  if (fd < 0) return fd
  try {
    if (version6) sys.setSocketOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, bothFamilies ? 0 : 1)
    // Connections of an earlier server that are still winding down do not count as taken.
    if (protocol !== 'udp') sys.setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
    if (!served) dropEverything(fd)
    sys.bindSocket(fd, internetAddress({ address, port }))
    if (protocol !== 'udp') sys.listen(fd, served ? SERVED_BACKLOG : BACKLOG)
    return fd
  } catch (error) {
    sys.close(fd)
    throw error
  }
}

function openSocket(family: number, protocol: PortReservation['protocol']): number {
  if (protocol === 'udp') return sys.socket(family, sys.SOCK_DGRAM, 0)
  try {
    return sys.socket(family, sys.SOCK_STREAM, protocol === 'sctp' ? IPPROTO_SCTP : 0)
  } catch (error) {
    const missing = error instanceof SystemCallError && [EPROTONOSUPPORT, ESOCKTNOSUPPORT].includes(error.errno)
    if (protocol === 'sctp' && missing) return -1
    throw error
  }
}

/** struct sock_filter and sock_fprog of linux/filter.h; the one instruction returns 0: keep no byte of the packet. */
const sockFilter = koffi.struct({ code: 'uint16', jt: 'uint8', jf: 'uint8', k: 'uint32' })
const sockProgram = koffi.struct({ length: 'uint16', filter: koffi.pointer(sockFilter) })
const attach = koffi.load(null).func('setsockopt', 'int', ['int', 'int', 'int', koffi.pointer(sockProgram), 'uint32']) as (
  ...args: unknown[]
) => number
const BPF_RET = 6

function dropEverything(fd: number): void {
  const program = { length: 1, filter: [{ code: BPF_RET, jt: 0, jf: 0, k: 0 }] }
  if (attach(fd, SOL_SOCKET, SO_ATTACH_FILTER, program, koffi.sizeof(sockProgram)) < 0)
    throw new SystemCallError('setsockopt', koffi.errno())
}
