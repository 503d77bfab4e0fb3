import type { DnsEndpoint, DnsNetwork, DnsSandbox } from './contract.js'
import type { DnsMessage } from './messages.js'

/** What the thread was told, so that a new one can be told again. */
export class KnownState {
  readonly #sandboxes = new Map<string, DnsSandbox>()
  readonly #networks = new Map<string, { network: Omit<DnsNetwork, 'endpoints'>; endpoints: Map<string, DnsEndpoint> }>()

  apply(message: DnsMessage): void {
    switch (message.do) {
      case 'add-sandbox':
        this.#sandboxes.set(message.sandbox.id, message.sandbox)
        break
      case 'change-sandbox': {
        const sandbox = this.#sandboxes.get(message.id)
        if (sandbox !== undefined) this.#sandboxes.set(message.id, { ...sandbox, view: message.view })
        break
      }
      case 'remove-sandbox':
        this.#sandboxes.delete(message.id)
        break
      case 'put-network': {
        const { endpoints, ...network } = message.network
        this.#networks.set(network.id, { network, endpoints: new Map(endpoints.map((endpoint) => [endpoint.id, endpoint])) })
        break
      }
      case 'change-network': {
        const known = this.#networks.get(message.change.id)
        for (const id of message.change.remove ?? []) known?.endpoints.delete(id)
        for (const endpoint of message.change.put ?? []) known?.endpoints.set(endpoint.id, endpoint)
        break
      }
      case 'remove-network':
        this.#networks.delete(message.id)
        break
      default:
    }
  }

  hasNetwork(id: string): boolean {
    return this.#networks.has(id)
  }

  namespaceOf(sandbox: string): string | undefined {
    return this.#sandboxes.get(sandbox)?.namespace
  }

  /** Descriptors of every sandbox, as handed over. */
  sockets(): number[] {
    return [...this.#sandboxes.keys()].flatMap((id) => this.socketsOf(id))
  }

  socketsOf(sandbox: string): number[] {
    const { udp = [], tcp = [] } = this.#sandboxes.get(sandbox) ?? {}
    return [...udp, ...tcp]
  }

  /** Everything, networks first. */
  *messages(): Generator<DnsMessage> {
    for (const { network, endpoints } of this.#networks.values()) {
      yield { do: 'put-network', network: { ...network, endpoints: [...endpoints.values()] } }
    }
    for (const sandbox of this.#sandboxes.values()) yield { do: 'add-sandbox', sandbox }
  }
}
