import type { Place } from '../contracts/kernel-objects.js'
import { internetAddress, parseInternetAddress, unixAddress, type InternetAddress } from './socket-address.js'
import * as sys from './syscalls.js'

const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_BROADCAST = 6
const SO_REUSEPORT = 15
const SO_BINDTODEVICE = 25
const IPPROTO_IP = 0
const IP_FREEBIND = 15
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
/** What Node's own servers ask for. */
const DEFAULT_BACKLOG = 511

interface InternetOptions {
  /** Default `::` (both families, unless {@link v6only}). */
  address?: string
  /** Default 0: the kernel chooses. */
  port?: number
  /** SO_REUSEADDR; default true for TCP, false for UDP. */
  reuseAddress?: boolean
  /** SO_REUSEPORT, default false. */
  reusePort?: boolean
  /** An IPv6 socket takes no IPv4. Default false. */
  v6only?: boolean
  /** Link that the socket is bound to (SO_BINDTODEVICE), and the scope of a link-local address. */
  link?: string
  /** IP_FREEBIND: an address that is not there yet. Default false. */
  freeBind?: boolean
}

/** What a socket is to be; made inside a network namespace, non-blocking, closed on exec. */
export type SocketRequest =
  /** Listening: `server.listen({ fd })`. */
  | ({ type: 'tcp-listen'; /** Default 511. */ backlog?: number } & InternetOptions)
  /** Not connected: `new net.Socket({ fd })`, then `connect`. With an address or port, bound to it as source. */
  | ({ type: 'tcp'; family?: 4 | 6 } & InternetOptions)
  /** Bound: `dgram.createSocket(...).bind({ fd })`. */
  | ({ type: 'udp'; broadcast?: boolean } & InternetOptions)
  /** Listening at a path, or at an abstract name (`@name`), which belongs to the namespace. */
  | { type: 'unix-listen'; path: string; backlog?: number }
  /** Connected, since Node pads abstract names to their full length, which makes them others: `new net.Socket({ fd })`. */
  | { type: 'unix'; path: string }

/**
 * A descriptor that belongs to whoever asked for it: hand it to a server or a socket of Node, which closes it, or close
 * it with fs.close.
 */
export interface SocketHandle {
  fd: number
  /** Where it is bound, for TCP and UDP sockets that are. */
  address?: InternetAddress
}

/** What the making of sockets needs to know about the namespace. */
export interface SocketPlace {
  inside<T>(at: Place, body: () => T): T
  linkIndex(at: Place, name: string): number
}

/** @throws SystemCallError EADDRINUSE, EADDRNOTAVAIL, EACCES; CnmError ERR_CNM_LINK_NOT_FOUND, ERR_CNM_INVALID_ARGUMENT */
export function makeSocket(at: Place, request: SocketRequest, place: SocketPlace): SocketHandle {
  if (request.type === 'unix' || request.type === 'unix-listen') return place.inside(at, () => makeUnixSocket(request))
  const scope = request.link === undefined ? 0 : place.linkIndex(at, request.link)
  return place.inside(at, () => makeInternetSocket(request, scope))
}

function makeInternetSocket(request: Extract<SocketRequest, { type: 'tcp' | 'tcp-listen' | 'udp' }>, scope: number): SocketHandle {
  const bound = request.type !== 'tcp' || request.address !== undefined || request.port !== undefined
  const anywhere = request.type === 'tcp' && request.family === 4 ? '0.0.0.0' : '::'
  const address = internetAddress({ address: request.address ?? anywhere, port: request.port ?? 0 }, scope)
  const family = address.length === 16 ? sys.AF_INET : sys.AF_INET6
  return withSocket(family, request.type === 'udp' ? sys.SOCK_DGRAM : sys.SOCK_STREAM, (fd) => {
    setOptions(fd, family, request)
    if (!bound) return {}
    sys.bindSocket(fd, address)
    if (request.type === 'tcp-listen') sys.listen(fd, request.backlog ?? DEFAULT_BACKLOG)
    return { address: parseInternetAddress(sys.socketAddress(fd)) }
  })
}

function setOptions(fd: number, family: number, request: Extract<SocketRequest, InternetOptions>): void {
  const set = (level: number, name: number, value: boolean): void => sys.setSocketOption(fd, level, name, value ? 1 : 0)
  set(SOL_SOCKET, SO_REUSEADDR, request.reuseAddress ?? request.type !== 'udp')
  if (request.reusePort) set(SOL_SOCKET, SO_REUSEPORT, true)
  if (family === sys.AF_INET6) set(IPPROTO_IPV6, IPV6_V6ONLY, request.v6only ?? false)
  if (request.freeBind) set(IPPROTO_IP, IP_FREEBIND, true)
  if (request.type === 'udp' && request.broadcast) set(SOL_SOCKET, SO_BROADCAST, true)
  if (request.link !== undefined) sys.setSocketOption(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${request.link}\0`))
}

function makeUnixSocket(request: Extract<SocketRequest, { type: 'unix' | 'unix-listen' }>): SocketHandle {
  return withSocket(sys.AF_UNIX, sys.SOCK_STREAM, (fd) => {
    const address = unixAddress(request.path)
    if (request.type === 'unix') sys.connect(fd, address)
    else {
      sys.bindSocket(fd, address)
      sys.listen(fd, request.backlog ?? DEFAULT_BACKLOG)
    }
    return {}
  })
}

function withSocket(family: number, type: number, prepare: (fd: number) => Omit<SocketHandle, 'fd'>): SocketHandle {
  const fd = sys.socket(family, type | sys.SOCK_NONBLOCK, 0)
  try {
    return { fd, ...prepare(fd) }
  } catch (error) {
    sys.close(fd)
    throw error
  }
}
