import { splitScope, type Namespace } from '../../../src/kernel/loop/index.js'
import type { DnsServer } from '../contract.js'
import { addressBytes } from '../local/addresses.js'
import type { ServerIo } from './io.js'
import { Server } from './server.js'

const DNS_PORT = 53

/** Servers that are asked for the same sandboxes, from the same namespace. */
export class ServerGroup {
  servers: readonly Server[] = []

  /**
   * @param key begins the keys of the cache: answers of one group are not those of another
   * @param from where its servers are asked from, for people: `host`, or the id of a sandbox
   */
  constructor(
    readonly key: string,
    private readonly io: ServerIo,
    private readonly namespace: Namespace,
    readonly from: string,
  ) {}

  /** Takes over a list of servers. Those that stay keep their sockets and what is known about them. */
  use(list: readonly DnsServer[]): void {
    const before = new Map(this.servers.map((server) => [server.label, server]))
    this.servers = list.flatMap((wanted) => {
      const label = `${wanted.address}#${wanted.port ?? DNS_PORT}`
      const same = before.get(label)
      before.delete(label)
      return same ?? this.#make(wanted, label) ?? []
    })
    for (const gone of before.values()) gone.close()
  }

  #make(wanted: DnsServer, label: string): Server | undefined {
    const { address, scope } = splitScope(wanted.address)
    const bytes = addressBytes(address)
    return bytes === undefined ? undefined : new Server(label, this.io, this.namespace, bytes, wanted.port ?? DNS_PORT, scope)
  }

  close(): void {
    this.use([])
    this.namespace.close()
  }
}
