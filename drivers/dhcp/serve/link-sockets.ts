import {
  AF_INET,
  bindSocket,
  close,
  EPOLLIN,
  MSG_DONTWAIT,
  sendTo,
  setSocketOption,
  SOCK_DGRAM,
  SOL_SOCKET,
  writeSocketAddress,
  type Arena,
  type Datagrams,
  type EventLoop,
  type Handler,
  type Namespace,
} from '../../../src/kernel/loop/index.js'
import { CLIENT_PORT } from '../wire/codes.js'

const AF_PACKET = 17
/** ETH_P_IP as it is on the wire. */
const IP_PROTOCOL = 0x0008
const SO_BINDTODEVICE = 25
const SO_ATTACH_FILTER = 26
const SOCKADDR_LL = 20
const MAC_AT = 12
const MAC_LENGTH = 6

/** What all sessions of the thread share. */
export interface Sharing {
  loop: EventLoop
  arena: Arena
  incoming: Datagrams
  /** Offset of room for one outgoing packet. */
  outgoing: number
  /** Offset of room for what a system call reads. */
  scratch: number
}

/**
 * The sockets of one exchange on an interface, which may have no address yet: a packet socket that takes what is for a
 * DHCP client, and a UDP socket that keeps the kernel from refusing the same packets as nobody's.
 */
export class LinkSockets implements Handler {
  readonly fd: number
  readonly #index: number
  readonly #holder: number

  constructor(
    namespace: Namespace,
    link: string,
    private readonly sharing: Sharing,
    private readonly received: (packet: Uint8Array, from: Uint8Array) => void,
  ) {
    this.fd = namespace.open(AF_PACKET, SOCK_DGRAM)
    if (this.fd < 0) throw new Error(`packet socket: errno ${-this.fd}`)
    try {
      this.#index = indexOf(namespace, link)
      attachFilter(this.fd, sharing)
      // Only now anything comes: a socket without protocol receives nothing.
      const address = linkAddress(sharing, this.#index, new Uint8Array(MAC_LENGTH))
      check('bind', bindSocket(this.fd, sharing.arena.address(address), SOCKADDR_LL))
      sharing.loop.add(this, EPOLLIN)
    } catch (error) {
      close(this.fd)
      throw error
    }
    this.#holder = holdPort(namespace, link, sharing)
  }

  ready(): void {
    const { incoming } = this.sharing
    const count = incoming.receive(this.fd)
    for (let i = 0; i < count; i++) {
      if (incoming.cut(i)) continue
      const from = incoming.addressAt(i) + MAC_AT
      this.received(copy(incoming.bytes, incoming.at(i), incoming.length(i)), copy(incoming.bytes, from, MAC_LENGTH))
    }
    if (count > 0) incoming.reset(count)
  }

  /** What the kernel refuses is lost like any other packet: it is sent again. */
  send(packet: Uint8Array, to: Uint8Array): void {
    const { arena, outgoing } = this.sharing
    arena.bytes.set(packet, outgoing)
    const address = linkAddress(this.sharing, this.#index, to)
    sendTo(this.fd, arena.address(outgoing), packet.length, MSG_DONTWAIT, arena.address(address), SOCKADDR_LL)
  }

  close(): void {
    this.sharing.loop.remove(this)
    close(this.fd)
    if (this.#holder >= 0) close(this.#holder)
  }
}

function indexOf(namespace: Namespace, link: string): number {
  const index = namespace.interfaceIndex(link)
  if (index === 0) throw new Error(`there is no interface ${link}`)
  return index
}

/** struct sockaddr_ll: family, protocol, interface, kind of hardware, kind of packet, length and bytes of the MAC. */
function linkAddress({ arena, scratch }: Sharing, index: number, mac: Uint8Array): number {
  const { bytes, words } = arena
  bytes.fill(0, scratch, scratch + SOCKADDR_LL)
  words[scratch >> 2] = AF_PACKET | (IP_PROTOCOL << 16)
  words[(scratch + 4) >> 2] = index
  bytes[scratch + 11] = MAC_LENGTH
  bytes.set(mac, scratch + MAC_AT)
  return scratch
}

/** UDP to port 68, no fragment but the first (bpf(4); jumps count from the next instruction). */
const FILTER: readonly [code: number, yes: number, no: number, value: number][] = [
  [0x30, 0, 0, 9], // protocol
  [0x15, 0, 6, 17],
  [0x28, 0, 0, 6], // fragment offset
  [0x45, 4, 0, 0x1fff],
  [0xb1, 0, 0, 0], // X: length of the IP header
  [0x48, 0, 0, 2], // destination port
  [0x15, 0, 1, CLIENT_PORT],
  [0x06, 0, 0, 0xffff],
  [0x06, 0, 0, 0],
]

/** struct sock_fprog: how many instructions, and where. */
function attachFilter(fd: number, { arena, scratch }: Sharing): void {
  const program = scratch + 16
  FILTER.forEach(([code, yes, no, value], i) => {
    arena.words[(program + i * 8) >> 2] = code | (yes << 16) | (no << 24)
    arena.words[(program + i * 8 + 4) >> 2] = value
  })
  arena.writeWide(scratch, FILTER.length)
  arena.writeWide(scratch + 8, arena.address(program))
  check('SO_ATTACH_FILTER', setSocketOption(fd, SOL_SOCKET, SO_ATTACH_FILTER, arena.address(scratch), 16))
}

/** Somebody else in the sandbox may have the port: then it is held already. @returns a descriptor, or less than 0 */
function holdPort(namespace: Namespace, link: string, { arena, scratch }: Sharing): number {
  const fd = namespace.open(AF_INET, SOCK_DGRAM)
  if (fd < 0) return fd
  const length = arena.bytes.write(`${link}\0`, scratch)
  const bound = setSocketOption(fd, SOL_SOCKET, SO_BINDTODEVICE, arena.address(scratch), length) === 0
  const size = writeSocketAddress(arena, scratch, new Uint8Array(4), CLIENT_PORT, 0)
  if (bound && bindSocket(fd, arena.address(scratch), size) === 0) return fd
  close(fd)
  return -1
}

const copy = (bytes: Buffer, at: number, length: number): Uint8Array => Uint8Array.from(bytes.subarray(at, at + length))

function check(what: string, result: number): void {
  if (result < 0) throw new Error(`${what}: errno ${-result}`)
}
