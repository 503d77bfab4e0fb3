import { Arena, Datagrams, EventLoop, setSocketOption, SO_RCVBUF, SO_RCVBUFFORCE, SOL_SOCKET } from '../../../src/kernel/loop/index.js'
import type { DnsSandbox, DnsTuning, DnsView } from '../contract.js'
import { Forwarder } from '../forward/forwarder.js'
import { ServerIo } from '../forward/io.js'
import { ServerGroups } from '../forward/server-groups.js'
import { NetworkIndex } from '../local/network-index.js'
import { SandboxNames } from '../local/sandbox-names.js'
import type { DnsMessage, DnsReport, DnsStatistics } from '../messages.js'
import { MAX_MESSAGE, MAX_UDP } from '../wire/constants.js'
import { Answerer } from './answerer.js'
import type { Sandbox } from './sandbox.js'
import { TcpListener, type TcpServing } from './tcp-listener.js'
import { UdpListener, type UdpServing } from './udp-listener.js'

const ARENA = 2 << 20
/** Questions taken with one system call. */
const BATCH = 64
const PREFIX = 2
/** Bytes; the kernel takes twice that, and counts 768 for a question: ten thousand may wait while the thread gets no time. */
const RECEIVE_BUFFER = 4 << 20

interface Served extends Sandbox {
  listeners: (UdpListener | TcpListener)[]
  namespace: string | undefined
}

/** Everything the resolver's thread does, driven by messages. */
export class Service {
  readonly loop: EventLoop
  readonly arena = new Arena(ARENA)
  readonly #sandboxes = new Map<string, Served>()
  readonly #networks = new Map<string, NetworkIndex>()
  readonly #forwarder: Forwarder
  readonly #groups: ServerGroups
  readonly #answerer: Answerer
  readonly #udp: UdpServing
  readonly #tcp: TcpServing

  constructor(
    tuning: DnsTuning,
    private readonly report: (report: DnsReport) => void,
    catchUp: () => void,
  ) {
    const { arena } = this
    this.loop = new EventLoop(arena, (error) => this.#fault(error))
    const { loop } = this
    const io = new ServerIo(loop, arena, new Datagrams(arena, BATCH, MAX_UDP), tuning)
    this.#groups = new ServerGroups(io)
    this.#forwarder = new Forwarder(io, (group) => this.#groups.refresh(group))
    const work = { bytes: arena.bytes, at: arena.take(PREFIX + MAX_MESSAGE + MAX_UDP) + PREFIX }
    this.#answerer = new Answerer(this.#forwarder, tuning, work, loop)
    const option = arena.take(4)
    arena.words[option >> 2] = RECEIVE_BUFFER
    const receiveBuffer = (fd: number): void => {
      // Beyond the system's limit where we may; memory is used only for what waits.
      if (setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, arena.address(option), 4) < 0) {
        setSocketOption(fd, SOL_SOCKET, SO_RCVBUF, arena.address(option), 4)
      }
    }
    this.#udp = { loop, arena, incoming: new Datagrams(arena, BATCH, MAX_UDP), answerer: this.#answerer, receiveBuffer, catchUp }
    const inputSize = 2 * MAX_MESSAGE
    this.#tcp = {
      loop,
      arena,
      answerer: this.#answerer,
      tuning,
      catchUp,
      inputSize,
      input: arena.take(inputSize),
      output: arena.take(PREFIX + MAX_MESSAGE + MAX_UDP),
      connections: new Set(),
    }
  }

  /** @returns false: this was the last one */
  handle(message: DnsMessage): boolean {
    try {
      return this.#handle(message)
    } catch (error) {
      this.#fault(error)
      return true
    }
  }

  #handle(message: DnsMessage): boolean {
    switch (message.do) {
      case 'add-sandbox':
        this.#add(message.sandbox)
        break
      case 'change-sandbox':
        this.#change(message.id, message.view)
        break
      case 'remove-sandbox':
        this.#remove(message.id)
        this.report({ is: 'done', ticket: message.ticket })
        break
      case 'put-network':
        this.#network(message.network.id).load(message.network)
        break
      case 'change-network':
        this.#network(message.change.id).change(message.change.put ?? [], message.change.remove ?? [])
        break
      case 'remove-network':
        this.#networks.get(message.id)?.clear()
        this.#networks.delete(message.id)
        break
      case 'flush-cache':
        this.#forwarder.cache.clear()
        break
      case 'statistics':
        this.report({ is: 'statistics', ticket: message.ticket, statistics: this.#statistics() })
        break
      case 'stop':
        return false
    }
    return true
  }

  #add(given: DnsSandbox): void {
    this.#remove(given.id)
    const sandbox: Served = {
      id: given.id,
      names: this.#names(given.view),
      group: undefined,
      view: given.view,
      waiting: 0,
      connections: 0,
      listeners: [],
      namespace: given.namespace,
    }
    this.#sandboxes.set(given.id, sandbox)
    for (const fd of given.udp) sandbox.listeners.push(new UdpListener(fd, sandbox, this.#udp))
    for (const fd of given.tcp) sandbox.listeners.push(new TcpListener(fd, sandbox, this.#tcp))
    // Last: names of ours are answered even when the servers cannot be had.
    sandbox.group = this.#groups.take(given.id, given.view.forwarding, given.namespace)
  }

  #change(id: string, view: DnsView): void {
    const sandbox = this.#sandboxes.get(id)
    if (sandbox === undefined) return
    sandbox.names = this.#names(view)
    sandbox.view = view
    sandbox.group = undefined
    sandbox.group = this.#groups.take(id, view.forwarding, sandbox.namespace)
  }

  #remove(id: string): void {
    const sandbox = this.#sandboxes.get(id)
    if (sandbox === undefined) return
    this.#sandboxes.delete(id)
    for (const listener of sandbox.listeners) listener.close()
    this.#groups.drop(id)
  }

  #names(view: DnsView): SandboxNames {
    return new SandboxNames(view, (id) => this.#network(id))
  }

  #network(id: string): NetworkIndex {
    let network = this.#networks.get(id)
    if (network === undefined) this.#networks.set(id, (network = new NetworkIndex()))
    return network
  }

  #statistics(): DnsStatistics {
    const { heapUsed, external } = process.memoryUsage()
    const { cache, asked, waiting } = this.#forwarder
    return {
      ...this.#answerer.counters,
      sandboxes: this.#sandboxes.size,
      networks: this.#networks.size,
      connections: this.#tcp.connections.size,
      asked,
      waiting,
      cacheEntries: cache.size,
      cacheBytes: cache.bytes,
      ...this.#groups.statistics(),
      memory: { heapUsed, external },
    }
  }

  #fault(error: unknown): void {
    const { message, stack } = error instanceof Error ? error : new Error(String(error))
    this.report({ is: 'fault', message, stack })
  }

  close(): void {
    for (const id of [...this.#sandboxes.keys()]) this.#remove(id)
    this.#groups.close()
    this.loop.close()
  }
}
