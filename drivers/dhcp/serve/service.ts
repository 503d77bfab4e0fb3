import { Arena, Datagrams, EventLoop, HomeNamespace, type Namespace } from '../../../src/kernel/loop/index.js'
import type { PacketMessage, PacketReport } from '../messages.js'
import { bindsTo } from './local-address.js'
import { LinkSockets } from './link-sockets.js'

const ARENA = 256 << 10
const BATCH = 16
/** Bytes of a packet, at most: DHCP servers keep to 576 unless told otherwise (RFC 2131, section 2). */
const LARGEST = 2048

type Work = Exclude<PacketMessage, { do: 'stop' }>

/** Everything the thread does, driven by messages. */
export class PacketService {
  readonly arena = new Arena(ARENA)
  readonly loop = new EventLoop(this.arena, (error) => this.report({ is: 'fault', message: String(error) }))
  readonly #home = new HomeNamespace()
  readonly #sessions = new Map<number, LinkSockets>()
  readonly #shared = {
    loop: this.loop,
    arena: this.arena,
    incoming: new Datagrams(this.arena, BATCH, LARGEST),
    outgoing: this.arena.take(LARGEST),
    scratch: this.arena.take(LARGEST),
  }

  constructor(private readonly report: (report: PacketReport) => void) {}

  handle(message: Work): void {
    switch (message.do) {
      case 'open':
        return this.#answer(message.ticket, () => {
          this.#open(message)
          return true
        })
      case 'send':
        return this.#sessions.get(message.session)?.send(message.packet, message.to)
      case 'close':
        this.#sessions.get(message.session)?.close()
        this.#sessions.delete(message.session)
        return
      case 'has-address':
        return this.#answer(message.ticket, () =>
          this.#inside(message.namespace, (namespace) => bindsTo(namespace, message.address, this.arena, this.#shared.scratch)),
        )
    }
  }

  #open({ session, namespace: path, link }: Extract<Work, { do: 'open' }>): void {
    const received = (packet: Uint8Array, from: Uint8Array): void => this.report({ is: 'packet', session, packet, from })
    this.#sessions.set(
      session,
      this.#inside(path, (namespace) => new LinkSockets(namespace, link, this.#shared, received)),
    )
  }

  #inside<T>(path: string, body: (namespace: Namespace) => T): T {
    const namespace = this.#home.other(path)
    try {
      return body(namespace)
    } finally {
      namespace.close()
    }
  }

  #answer(ticket: number, body: () => boolean): void {
    try {
      this.report({ is: 'done', ticket, value: body() })
    } catch (error) {
      this.report({ is: 'failed', ticket, message: error instanceof Error ? error.message : String(error) })
    }
  }

  close(): void {
    for (const session of this.#sessions.values()) session.close()
    this.#home.close()
    this.loop.close()
  }
}
