import type { HostFacts } from '../contracts/network-driver.js'
import type { Network } from './network.js'

/** Which networks' descriptions depend on which links of the host: looked up at every event of a link. */
export class HostLinks {
  readonly #byLink = new Map<string, Set<Network>>()
  readonly #named = new Map<Network, readonly string[]>()
  #defaultRoutes = new Set<string>()

  /** The host was read for this network, which named these links. */
  note(network: Network, names: readonly string[], facts: HostFacts): void {
    this.#defaultRoutes = new Set(Object.values(facts.defaultRoute).map(({ link }: { link: string }) => link))
    this.forget(network)
    this.#named.set(network, names)
    for (const name of names) this.#byLink.set(name, (this.#byLink.get(name) ?? new Set()).add(network))
  }

  forget(network: Network): void {
    for (const name of this.#named.get(network) ?? []) {
      const networks = this.#byLink.get(name)
      networks?.delete(network)
      if (networks?.size === 0) this.#byLink.delete(name)
    }
    this.#named.delete(network)
  }

  /** Networks that a change of this link concerns. A link that a default route leaves by concerns all. */
  concerned(link: string): Iterable<Network> {
    return this.#defaultRoutes.has(link) ? this.#named.keys() : (this.#byLink.get(link) ?? [])
  }
  all(): Iterable<Network> {
    return this.#named.keys()
  }
}
