import type { DnsEndpoint, DnsNetwork, NamedPort } from '../contract.js'
import { lowerCase, toWireName, type WireName } from '../wire/names.js'
import { addressBytes, addressRecords, reverseName } from './addresses.js'

/** An endpoint, prepared for answers. */
export interface IndexedEndpoint {
  /** As given; the first is its own. */
  names: WireName[]
  /** Lower case. */
  keys: WireName[]
  /** Prebuilt A and AAAA records. */
  a: Uint8Array
  aaaa: Uint8Array
  reverse: WireName[]
  ports: readonly NamedPort[]
}

/** What a network knows about one name: the records of every endpoint that bears it. */
export interface NameEntry {
  endpoints: IndexedEndpoint[]
  a: Uint8Array
  aaaa: Uint8Array
  /** Where the next answer begins, so that the clients of several endpoints spread. */
  turn: number
}

/**
 * The names of one network. A change touches the names of the endpoints it is about and nothing else; a look-up is one
 * look-up in a map. Changed only between two questions, so every answer is of one state.
 */
export class NetworkIndex {
  /** Lower case. */
  suffix: WireName = ''
  /** As given. */
  name: WireName = ''
  ttl = 0
  readonly names = new Map<WireName, NameEntry>()
  readonly reverse = new Map<WireName, IndexedEndpoint[]>()
  readonly #endpoints = new Map<string, IndexedEndpoint>()

  /** Replaces everything. */
  load(network: DnsNetwork): void {
    this.clear()
    this.name = toWireName(network.name) ?? ''
    this.suffix = lowerCase(this.name)
    this.ttl = network.ttl ?? 0
    this.change(network.endpoints, [])
  }

  clear(): void {
    this.names.clear()
    this.reverse.clear()
    this.#endpoints.clear()
    this.name = ''
    this.suffix = ''
  }

  change(put: readonly DnsEndpoint[], remove: readonly string[]): void {
    const touched = new Set<WireName>()
    for (const id of remove) this.#forget(id, touched)
    for (const endpoint of put) {
      this.#forget(endpoint.id, touched)
      this.#remember(endpoint, touched)
    }
    for (const key of touched) this.#rebuild(key)
  }

  get size(): number {
    return this.#endpoints.size
  }

  has(endpoint: IndexedEndpoint): boolean {
    return this.names.get(endpoint.keys[0] ?? '')?.endpoints.includes(endpoint) ?? false
  }

  #remember(endpoint: DnsEndpoint, touched: Set<WireName>): void {
    const given = endpoint.addresses.map(addressBytes).filter((bytes) => bytes !== undefined)
    const byReverse = new Map(given.map((bytes) => [reverseName(bytes), bytes]))
    const addresses = [...byReverse.values()]
    const names = [...new Set(endpoint.names.map(toWireName).filter((name) => name !== undefined && name !== ''))] as WireName[]
    const indexed: IndexedEndpoint = {
      names,
      keys: [...new Set(names.map(lowerCase))],
      a: addressRecords(addresses, 4, this.ttl),
      aaaa: addressRecords(addresses, 16, this.ttl),
      reverse: [...byReverse.keys()],
      ports: endpoint.ports ?? [],
    }
    this.#endpoints.set(endpoint.id, indexed)
    for (const key of indexed.keys) {
      const entry = this.names.get(key)
      if (entry === undefined) this.names.set(key, { endpoints: [indexed], a: indexed.a, aaaa: indexed.aaaa, turn: 0 })
      else entry.endpoints.push(indexed)
      touched.add(key)
    }
    for (const key of indexed.reverse) {
      const there = this.reverse.get(key)
      if (there === undefined) this.reverse.set(key, [indexed])
      else there.push(indexed)
    }
  }

  #forget(id: string, touched: Set<WireName>): void {
    const indexed = this.#endpoints.get(id)
    if (indexed === undefined) return
    this.#endpoints.delete(id)
    for (const key of indexed.keys) {
      const entry = this.names.get(key)!
      entry.endpoints.splice(entry.endpoints.indexOf(indexed), 1)
      touched.add(key)
    }
    for (const key of indexed.reverse) {
      const rest = this.reverse.get(key)!.filter((other) => other !== indexed)
      if (rest.length === 0) this.reverse.delete(key)
      else this.reverse.set(key, rest)
    }
  }

  #rebuild(key: WireName): void {
    const entry = this.names.get(key)!
    const [only] = entry.endpoints
    if (only === undefined) this.names.delete(key)
    else if (entry.endpoints.length === 1) {
      entry.a = only.a
      entry.aaaa = only.aaaa
    } else {
      entry.a = Buffer.concat(entry.endpoints.map((endpoint) => endpoint.a))
      entry.aaaa = Buffer.concat(entry.endpoints.map((endpoint) => endpoint.aaaa))
    }
  }
}
