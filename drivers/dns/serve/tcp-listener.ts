import {
  accept,
  close,
  EAGAIN,
  EMFILE,
  ENFILE,
  ENOBUFS,
  ENOMEM,
  EPOLLIN,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  Timer,
  type Arena,
  type EventLoop,
  type Handler,
} from '../../../src/kernel/loop/index.js'
import type { DnsTuning } from '../contract.js'
import type { Answerer } from './answerer.js'
import type { Sandbox } from './sandbox.js'
import { TcpConnection } from './tcp-connection.js'

/** What all listeners and connections share. */
export interface TcpServing {
  loop: EventLoop
  arena: Arena
  answerer: Answerer
  tuning: DnsTuning
  /** Offsets of room for what is read, and for one message with its length. */
  input: number
  inputSize: number
  output: number
  /** Of all sandboxes, the one idle for longest first. */
  connections: Set<TcpConnection>
  catchUp(): void
}

const AT_ONCE = 16
/** Milliseconds without accepting when the process has no descriptors or memory left. */
const PAUSE = 100

/** A sandbox's listening TCP socket. */
export class TcpListener implements Handler {
  #closed = false
  readonly #pause = new Timer(() => this.serving.loop.change(this, EPOLLIN))

  constructor(
    readonly fd: number,
    private readonly sandbox: Sandbox,
    private readonly serving: TcpServing,
  ) {
    serving.loop.add(this, EPOLLIN)
  }

  ready(): void {
    for (let i = 0; i < AT_ONCE; i++) {
      const fd = accept(this.fd, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC)
      if (fd === -EAGAIN) return
      if (fd === -EMFILE || fd === -ENFILE || fd === -ENOBUFS || fd === -ENOMEM) return this.#rest()
      // Other errors are those of a connection that is gone already.
      if (fd >= 0) this.#take(fd)
    }
  }

  /** The oldest idle connection makes room for a new one: whoever holds connections open cannot keep others out. */
  #take(fd: number): void {
    const { connections, tuning } = this.serving
    if (this.sandbox.connections >= tuning.connectionsPerSandbox) closeOldest(connections, this.sandbox)
    else if (connections.size >= tuning.connections) closeOldest(connections)
    connections.add(new TcpConnection(fd, this.sandbox, this.serving))
  }

  /** A listener that cannot accept stays readable. */
  #rest(): void {
    const { loop } = this.serving
    loop.change(this, 0)
    loop.timers.arm(this.#pause, loop.now + PAUSE)
  }

  /** Its connections are closed as well. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    const { loop, connections } = this.serving
    loop.timers.cancel(this.#pause)
    loop.remove(this)
    close(this.fd)
    for (const connection of connections) if (connection.sandbox === this.sandbox) connection.close()
  }
}

function closeOldest(connections: Set<TcpConnection>, sandbox?: Sandbox): void {
  for (const connection of connections) {
    if (sandbox === undefined || connection.sandbox === sandbox) return connection.close()
  }
}
