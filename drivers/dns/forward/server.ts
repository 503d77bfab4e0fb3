import { AF_INET, AF_INET6, close, connect, SOCK_DGRAM, Timer, writeSocketAddress, type Namespace } from '../../../src/kernel/loop/index.js'
import { HEADER, OUR_UDP } from '../wire/constants.js'
import { answersQuestion, buildQuery } from './answer.js'
import { Health } from './health.js'
import type { ServerIo } from './io.js'
import { ServerSocket, type Attempt, type SocketOwner } from './server-socket.js'
import { TcpQuery } from './tcp-query.js'

/** Milliseconds after which a server is taken not to have answered. */
const GIVE_UP = 2000
const SWEEP = 250
/** Milliseconds after which a socket gets no more questions, so that its port does not become known. */
const SOCKET_AGE = 10_000
/** TCP connections to one server at a time; more wait. */
const TCP_CONNECTIONS = 32

/** Who wants to know. */
export interface Asker {
  /** The server answered the question: a message still to be read, in memory that is soon used for the next. */
  answered(server: Server, bytes: Buffer, at: number, length: number): void
  /** No answer will come. */
  failed(server: Server): void
}

/** What is asked: header and question as the client sent them. */
export interface Query {
  readonly head: Buffer
  readonly dnssecOk: boolean
}

/** A server that questions are forwarded to, with its sockets and what is known about its health. */
export class Server implements SocketOwner {
  readonly health = new Health()
  /** It does not understand EDNS. */
  plain = false
  /** Messages that answered nothing we had asked: forged, late or broken. */
  strangers = 0
  readonly #sockets: ServerSocket[] = []
  readonly #sweeper = new Timer(() => this.#sweep())
  readonly #tcp = new Set<TcpQuery>()
  readonly #waitingTcp: { query: Query; asker: Asker }[] = []
  #askingTcp = false
  readonly #target: number

  /** @param address bytes; @param scope interface of a link-local address */
  constructor(
    readonly label: string,
    private readonly io: ServerIo,
    private readonly namespace: Namespace,
    readonly address: Uint8Array,
    readonly port: number,
    readonly scope: string | undefined,
  ) {
    this.#target = io.scratch
  }

  /** Asks over UDP. @returns the attempt, or undefined when nothing could be sent; the asker is not told then */
  ask(query: Query, asker: Asker): Attempt | undefined {
    const socket = this.#chooseSocket()
    if (socket === undefined) return undefined
    const { arena, scratch, loop } = this.io
    const id = socket.freshId()
    const place = arena.bytes.subarray(scratch, scratch + OUR_UDP)
    const length = buildQuery(place, query.head, id, !this.plain, query.dnssecOk)
    if (this.io.tuning.randomCase) this.#mixCase(place, query.head.length)
    const sent = Buffer.from(place.subarray(0, query.head.length))
    if (!socket.send(scratch, length)) {
      if (socket.attempts.size === 0) this.#drop(socket)
      return undefined
    }
    const attempt: Attempt = { id, sent, sentAt: loop.now, asker }
    socket.attempts.set(id, attempt)
    if (!this.#sweeper.armed) loop.timers.arm(this.#sweeper, loop.now + SWEEP)
    return attempt
  }

  /** Asks over TCP, which takes answers of any size. */
  askTcp(query: Query, asker: Asker): void {
    if (this.#tcp.size >= TCP_CONNECTIONS) {
      this.#waitingTcp.push({ query, asker })
      return
    }
    const connection = new TcpQuery(this, this.io, this.namespace, query, asker, () => {
      this.#tcp.delete(connection)
      this.#askNextTcp()
    })
    this.#tcp.add(connection)
    connection.start()
  }

  /** Not nested: a connection that fails at once ends here again. */
  #askNextTcp(): void {
    if (this.#askingTcp) return
    this.#askingTcp = true
    while (this.#tcp.size < TCP_CONNECTIONS) {
      const next = this.#waitingTcp.shift()
      if (next === undefined) break
      this.askTcp(next.query, next.asker)
    }
    this.#askingTcp = false
  }

  /** Connects a socket to this server. @returns 0 or -errno */
  connect(fd: number): number {
    const scope = this.scope === undefined ? 0 : this.namespace.interfaceIndex(this.scope)
    const length = writeSocketAddress(this.io.arena, this.#target, this.address, this.port, scope)
    return connect(fd, this.io.arena.address(this.#target), length)
  }

  get domain(): number {
    return this.address.length === 4 ? AF_INET : AF_INET6
  }

  /** A new socket while there are few, so that most questions have a port of their own; then any of them. */
  #chooseSocket(): ServerSocket | undefined {
    const { loop, tuning } = this.io
    const young = this.#sockets.filter((socket) => loop.now - socket.openedAt < SOCKET_AGE)
    if (young.length >= tuning.socketsPerServer) return young[this.io.random() % young.length]
    const fd = this.namespace.open(this.domain, SOCK_DGRAM)
    if (fd < 0) return young[0]
    if (this.connect(fd) < 0) {
      close(fd)
      return undefined
    }
    const socket = new ServerSocket(fd, loop.now, this.io, this)
    this.#sockets.push(socket)
    return socket
  }

  received(socket: ServerSocket, bytes: Buffer, at: number, length: number): void {
    const attempt = length < HEADER ? undefined : socket.attempts.get(bytes.readUInt16BE(at))
    if (attempt === undefined || !answersQuestion(bytes, at, length, attempt.sent, this.io.tuning.randomCase)) {
      this.strangers++
      return
    }
    this.#settle(socket, attempt)
    this.health.answered(this.io.loop.now - attempt.sentAt)
    attempt.asker?.answered(this, bytes, at, length)
  }

  unreachable(socket: ServerSocket): void {
    const attempts = [...socket.attempts.values()]
    socket.attempts.clear()
    this.#drop(socket)
    for (const attempt of attempts) this.#missed(attempt)
  }

  #missed(attempt: Attempt): void {
    this.health.missed(this.io.loop.now)
    attempt.asker?.failed(this)
  }

  #settle(socket: ServerSocket, attempt: Attempt): void {
    socket.attempts.delete(attempt.id)
    if (socket.attempts.size === 0) this.#drop(socket)
  }

  #drop(socket: ServerSocket): void {
    socket.close()
    const at = this.#sockets.indexOf(socket)
    if (at !== -1) this.#sockets.splice(at, 1)
  }

  #sweep(): void {
    const { loop } = this.io
    for (const socket of [...this.#sockets]) {
      for (const attempt of socket.attempts.values()) {
        if (loop.now - attempt.sentAt < GIVE_UP) break
        this.#settle(socket, attempt)
        this.#missed(attempt)
      }
    }
    if (this.#sockets.length > 0) loop.timers.arm(this.#sweeper, loop.now + SWEEP)
  }

  #mixCase(message: Buffer, end: number): void {
    for (let at = HEADER; at < end - 4; at++) {
      const letter = message[at]! | 0x20
      if (letter >= 0x61 && letter <= 0x7a && (this.io.random() & 1) === 1) message[at]! ^= 0x20
    }
  }

  get outstanding(): number {
    return this.#sockets.reduce((sum, socket) => sum + socket.attempts.size, 0)
  }

  /** Whoever waits is told that no answer will come. */
  close(): void {
    this.io.loop.timers.cancel(this.#sweeper)
    const askers = this.#sockets.flatMap((socket) => [...socket.attempts.values()].map((attempt) => attempt.asker))
    askers.push(...this.#waitingTcp.map((waiting) => waiting.asker))
    this.#waitingTcp.length = 0
    for (const socket of [...this.#sockets]) this.#drop(socket)
    for (const connection of this.#tcp) connection.fail()
    for (const asker of askers) asker?.failed(this)
  }
}
