import type { DnsView } from '../contract.js'
import { lowerCase, toWireName, type WireName } from '../wire/names.js'
import { addressBytes, addressRecords, reverseName } from './addresses.js'
import type { NameEntry, NetworkIndex } from './network-index.js'

/** An extra host: addresses that belong to nobody's endpoint. */
interface Hosts {
  names: Map<WireName, NameEntry>
  /** Reverse name to the names of that address, as given. */
  reverse: Map<WireName, WireName[]>
}

/** Everything one sandbox can find: its extra hosts, its links, and the names of its networks. */
export class SandboxNames {
  readonly networks: readonly NetworkIndex[]
  readonly #hosts: Hosts | undefined
  readonly #links: Map<WireName, WireName> | undefined

  /** @param networkOf index of a network by id, also of one that is not known yet */
  constructor(view: DnsView, networkOf: (id: string) => NetworkIndex) {
    this.networks = view.networks.map(networkOf)
    this.#hosts = view.hosts === undefined ? undefined : indexHosts(view.hosts)
    this.#links = view.links === undefined ? undefined : indexLinks(view.links)
  }

  /**
   * Fills `found` with what is known about a name: the extra host of that name, or else one entry for each network
   * that knows it, or else (for `name.network`) the entry of that network.
   * @returns how many entries; 0: the name is not ours
   */
  find(asked: WireName, found: NameEntry[]): number {
    const host = this.#hosts?.names.get(asked)
    if (host !== undefined) {
      found[0] = host
      return 1
    }
    const name = this.#links?.get(asked) ?? asked
    let count = 0
    for (const network of this.networks) {
      const entry = network.names.get(name)
      if (entry !== undefined) found[count++] = entry
    }
    return count > 0 ? count : this.#findQualified(name, found)
  }

  #findQualified(name: WireName, found: NameEntry[]): number {
    for (const network of this.networks) {
      if (name.length <= network.suffix.length || network.suffix === '' || !name.endsWith(network.suffix)) continue
      const entry = network.names.get(name.slice(0, -network.suffix.length))
      if (entry !== undefined) {
        found[0] = entry
        return 1
      }
    }
    return 0
  }

  /** Names of the owners of an address, each with its network: `web.front`; extra hosts as they are. */
  findReverse(reverse: WireName): { name: WireName; ttl: number }[] {
    const found = (this.#hosts?.reverse.get(reverse) ?? []).map((name) => ({ name, ttl: 0 }))
    for (const network of this.networks) {
      for (const endpoint of network.reverse.get(reverse) ?? []) {
        for (const name of endpoint.names) found.push({ name: name + network.name, ttl: network.ttl })
      }
    }
    return found
  }
}

function indexHosts(hosts: Readonly<Record<string, readonly string[]>>): Hosts {
  const index: Hosts = { names: new Map(), reverse: new Map() }
  for (const [text, list] of Object.entries(hosts)) {
    const name = toWireName(text)
    if (name === undefined) continue
    const addresses = list.map(addressBytes).filter((bytes) => bytes !== undefined)
    const entry = { endpoints: [], a: addressRecords(addresses, 4, 0), aaaa: addressRecords(addresses, 16, 0), turn: 0 }
    index.names.set(lowerCase(name), entry)
    for (const reverse of addresses.map(reverseName)) index.reverse.set(reverse, [...(index.reverse.get(reverse) ?? []), name])
  }
  return index
}

function indexLinks(links: Readonly<Record<string, string>>): Map<WireName, WireName> {
  const index = new Map<WireName, WireName>()
  for (const [alias, target] of Object.entries(links)) {
    const from = toWireName(alias)
    const to = toWireName(target)
    if (from !== undefined && to !== undefined) index.set(lowerCase(from), lowerCase(to))
  }
  return index
}
