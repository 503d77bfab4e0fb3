import type { HostFacts } from '../contracts/network-driver.js'
import { canonical } from '../engine/canonical.js'
import type { KernelEvent } from '../kernel/index.js'
import type { Core } from './core.js'
import type { Network } from './network.js'

/** Events of the host's links, addresses and default routes that come within so many milliseconds are one change. */
const TOGETHER_MS = 50
const MAIN_TABLE = 254
const DEFAULT = new Set(['default', '0.0.0.0/0', '::/0'])

/**
 * Networks are described anew when what they were described from has changed on the host: a link that their driver
 * named, or the default route and its link.
 */
export class HostChanges {
  readonly #core: Core
  readonly #concerned = new Set<Network>()
  #timer: NodeJS.Timeout | undefined
  #reading: Promise<void> = Promise.resolve()

  constructor(core: Core) {
    this.#core = core
  }

  take(events: readonly KernelEvent[]): void {
    const { hostLinks } = this.#core
    for (const event of events) {
      if (event.kind === 'overrun') this.#add(hostLinks.all())
      if (!('at' in event) || event.at !== 'host') continue
      if ((event.kind === 'link' || event.kind === 'address') && event.link !== undefined) this.#add(hostLinks.concerned(event.link))
      if (event.kind === 'route' && event.object?.kind === 'route' && (event.object.table ?? MAIN_TABLE) === MAIN_TABLE)
        if (DEFAULT.has(event.object.destination)) this.#add(hostLinks.all())
    }
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#reading
  }

  #add(networks: Iterable<Network>): void {
    for (const network of networks) this.#concerned.add(network)
    if (this.#concerned.size === 0) return
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined
      this.#reading = this.#compare()
    }, TOGETHER_MS).unref()
  }

  /** Reads the host once for all, and asks the drivers of those for whom it looks different. */
  async #compare(): Promise<void> {
    const networks = [...this.#concerned]
    this.#concerned.clear()
    const core = this.#core
    try {
      const names = new Map(networks.map((network) => [network, network.guardedDriver.hostLinks(network.view())]))
      const host = await core.hostFacts([...new Set([...names.values()].flat())])
      for (const [network, named] of names) {
        const known = network.knownFacts
        if (known === undefined || canonical(plain(ownPart(host, named))) !== canonical(plain(known)))
          core.redescriptions.changed(network.id)
      }
    } catch {
      // Each of them asks for itself, and tells what is wrong.
      for (const { id } of networks) core.redescriptions.changed(id)
    }
  }
}

/** What one network sees of the host. */
function ownPart(host: HostFacts, names: readonly string[]): HostFacts {
  const seen = new Set([
    ...names,
    ...(host.node?.link === undefined ? [] : [host.node.link]),
    ...Object.values(host.defaultRoute as Record<string, { link: string }>).map(({ link }) => link),
  ])
  return { ...host, links: new Map([...host.links].filter(([name]) => seen.has(name))) }
}

const plain = (facts: HostFacts): unknown => ({ ...facts, links: Object.fromEntries(facts.links) })
