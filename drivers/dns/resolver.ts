import { CnmError } from '../../src/contracts/errors.js'
import { DEFAULT_TUNING, type DnsNetwork, type DnsNetworkChange, type DnsSandbox, type DnsTuning, type DnsView } from './contract.js'
import { checkSandbox, checkTuning, checkView } from './checks.js'
import { KnownState } from './known-state.js'
import type { DnsMessage, DnsStatistics } from './messages.js'
import { ResolverThread } from './resolver-thread.js'

export interface DnsResolverOptions {
  tuning?: Partial<DnsTuning>
  /** Told about failures inside the resolver's thread. It goes on, or is started again with everything it knew. */
  onFault?: (error: Error) => void
}

/**
 * The embedded DNS resolver of all sandboxes of one controller, on a thread of its own, so that names are answered
 * however busy the program is. The thread starts with the first sandbox. What is told to it counts for every question
 * that is asked afterwards.
 *
 * Every call throws CnmError ERR_CNM_CLOSED after {@link close}.
 */
export class DnsResolver implements AsyncDisposable {
  readonly #tuning: DnsTuning
  readonly #known = new KnownState()
  readonly #onFault: (error: Error) => void
  #thread: ResolverThread | undefined
  #closing: Promise<void> | undefined

  /** @throws CnmError ERR_CNM_INVALID_ARGUMENT, ERR_CNM_UNKNOWN_OPTION for wrong tuning */
  constructor({ tuning = {}, onFault = () => undefined }: DnsResolverOptions = {}) {
    this.#tuning = { ...DEFAULT_TUNING, ...checkTuning(tuning) }
    this.#onFault = onFault
  }

  /**
   * Serves a sandbox, in place of one of the same id. The sockets belong to the resolver from now on.
   * @throws CnmError ERR_CNM_INVALID_ARGUMENT; the sockets are still the caller's then
   */
  addSandbox(sandbox: DnsSandbox): void {
    this.#tell({ do: 'add-sandbox', sandbox: checkSandbox(sandbox) })
    this.#thread ??= new ResolverThread(this.#tuning, this.#known, this.#onFault)
  }

  /** Changes what a sandbox sees. Its sockets stay. */
  changeSandbox(id: string, view: DnsView): void {
    this.#tell({ do: 'change-sandbox', id, view: checkView(view, this.#known.namespaceOf(id)) })
  }

  /** Stops serving a sandbox. Once this is done, nothing of the resolver is in its namespace. */
  async removeSandbox(id: string): Promise<void> {
    this.#open()
    const sockets = this.#known.socketsOf(id)
    this.#known.apply({ do: 'remove-sandbox', id, ticket: 0 })
    await this.#thread?.ask((ticket) => ({ do: 'remove-sandbox', id, ticket }), sockets)
  }

  /** Adds a network or replaces everything known about it. */
  putNetwork(network: DnsNetwork): void {
    this.#tell({ do: 'put-network', network })
  }

  /** @throws CnmError ERR_CNM_INVALID_ARGUMENT when no such network was put */
  changeNetwork(change: DnsNetworkChange): void {
    if (!this.#known.hasNetwork(change.id))
      throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `id: the resolver knows no network ${change.id}`, { field: 'id' })
    this.#tell({ do: 'change-network', change })
  }

  removeNetwork(id: string): void {
    this.#tell({ do: 'remove-network', id })
  }

  /** Forgets the answers of servers. */
  flushCache(): void {
    this.#open()
    this.#thread?.post({ do: 'flush-cache' })
  }

  /** Everything is zero before the first sandbox. */
  async statistics(): Promise<DnsStatistics | undefined> {
    this.#open()
    return this.#thread?.ask((ticket) => ({ do: 'statistics', ticket }))
  }

  /** Ends the thread and closes the sockets. */
  close(): Promise<void> {
    this.#closing ??= this.#thread?.close() ?? Promise.resolve()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #tell(message: DnsMessage): void {
    this.#open()
    this.#known.apply(message)
    this.#thread?.post(message)
  }

  #open(): void {
    if (this.#closing !== undefined) throw new CnmError('ERR_CNM_CLOSED', 'the DNS resolver is closed')
  }
}
