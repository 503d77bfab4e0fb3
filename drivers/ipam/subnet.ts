import { AddressSet } from './address-set.js'
import { formatAddress, formatPrefix, lastOf, type Prefix, type Range, sizeOf } from './prefix.js'

/**
 * Which addresses of one subnet are taken. What is never given (network, broadcast, reserved by name) is taken too,
 * with a reason. Knows nothing of owners: those are in the store.
 */
export class Subnet {
  readonly prefix: Prefix
  #taken: AddressSet
  /** Never given to anybody, by offset; the reason reads "10.0.0.0 is …". */
  readonly #unusable = new Map<bigint, string>()
  /** By pool id and offset, the name for which an address is reserved. */
  readonly #reserved = new Map<string, ReadonlyMap<bigint, string>>()
  /** Taken for leases that are not in the store yet. */
  readonly #underWay = new Set<bigint>()
  /** What changed while the store is read: newer than what is read. */
  #changes: Map<bigint, boolean> | undefined

  constructor(prefix: Prefix) {
    this.prefix = prefix
    this.#taken = new AddressSet(sizeOf(prefix))
    for (const [address, why] of unusableAddresses(prefix)) this.#unusable.set(address - prefix.start, why)
    for (const offset of this.#unusable.keys()) this.#taken.add(offset)
  }

  /** Why nobody can have an address, or undefined. */
  unusable(address: bigint): string | undefined {
    return this.#unusable.get(address - this.prefix.start)
  }

  /** The name for which an address is reserved, or undefined. */
  reservedFor(address: bigint): string | undefined {
    const offset = address - this.prefix.start
    for (const names of this.#reserved.values()) {
      const name = names.get(offset)
      if (name !== undefined) return name
    }
    return undefined
  }

  /** Keeps addresses from being given while the pool exists. */
  reserve(pool: string, names: ReadonlyMap<bigint, string>): void {
    const byOffset = new Map([...names].map(([address, name]) => [address - this.prefix.start, name]))
    this.#reserved.set(pool, byOffset)
    for (const offset of byOffset.keys()) this.#taken.add(offset)
  }

  unreserve(pool: string): void {
    const names = this.#reserved.get(pool)
    this.#reserved.delete(pool)
    for (const offset of names?.keys() ?? []) {
      if (this.reservedFor(offset + this.prefix.start) === undefined) this.#taken.delete(offset)
    }
  }

  isTaken(address: bigint): boolean {
    return this.#taken.has(address - this.prefix.start)
  }

  /** Takes an address for a lease that is on its way to the store. @returns what ends the way, told whether it got there */
  take(address: bigint): (stored: boolean) => void {
    const offset = address - this.prefix.start
    this.#underWay.add(offset)
    const first = this.#set(offset, true)
    return (stored) => {
      this.#underWay.delete(offset)
      if (!stored && first) this.#set(offset, false)
    }
  }

  /** What the store says of an address. */
  mark(address: bigint, taken: boolean): void {
    const offset = address - this.prefix.start
    if (this.#underWay.has(offset)) return
    if (!taken && (this.#unusable.has(offset) || this.reservedFor(address) !== undefined)) return
    this.#set(offset, taken)
  }

  /** The lowest free address of the ranges after `after` (default: from their beginning), then from the beginning again. */
  nextFree(ranges: readonly Range[], after?: bigint): bigint | undefined {
    if (after !== undefined) {
      for (const { first, last } of ranges) {
        if (last <= after) continue
        const found = this.#nextFree(first > after ? first : after + 1n, last)
        if (found !== undefined) return found
      }
    }
    for (const { first, last } of ranges) {
      const found = this.#nextFree(first, last)
      if (found !== undefined) return found
    }
    return undefined
  }

  /** Replaces what is known by what `read` finds, except for what changes meanwhile. */
  async reload(read: (found: (address: bigint) => void) => Promise<void>): Promise<void> {
    const fresh = new AddressSet(sizeOf(this.prefix))
    const changes = new Map<bigint, boolean>([...this.#underWay].map((offset) => [offset, true]))
    this.#changes = changes
    try {
      await read((address) => fresh.add(address - this.prefix.start))
    } finally {
      this.#changes = undefined
    }
    for (const [offset, taken] of changes) {
      if (taken) fresh.add(offset)
      else fresh.delete(offset)
    }
    for (const offset of this.#unusable.keys()) fresh.add(offset)
    for (const names of this.#reserved.values()) for (const offset of names.keys()) fresh.add(offset)
    this.#taken = fresh
  }

  /** Addresses that are never given: unusable and reserved ones. */
  get keptCount(): bigint {
    const offsets = new Set(this.#unusable.keys())
    for (const names of this.#reserved.values()) for (const offset of names.keys()) offsets.add(offset)
    return BigInt(offsets.size)
  }

  get takenCount(): bigint {
    return BigInt(this.#taken.count)
  }

  takenBetween({ first, last }: Range): bigint {
    return this.#taken.countBetween(first - this.prefix.start, last - this.prefix.start)
  }

  #nextFree(first: bigint, last: bigint): bigint | undefined {
    const offset = this.#taken.nextFree(first - this.prefix.start)
    if (offset === undefined || offset + this.prefix.start > last) return undefined
    return offset + this.prefix.start
  }

  #set(offset: bigint, taken: boolean): boolean {
    this.#changes?.set(offset, taken)
    return taken ? this.#taken.add(offset) : this.#taken.delete(offset)
  }
}

/**
 * Addresses that cannot be an interface's: the first and last of an IPv4 subnet (RFC 1122 section 3.2.1.3) unless it is
 * a /31 (RFC 3021) or a /32; the first of an IPv6 subnet, which is the anycast address of its routers (RFC 4291 section
 * 2.6.1), unless it is a /127 (RFC 6164) or a /128.
 */
function unusableAddresses(prefix: Prefix): [bigint, string][] {
  const { family, start } = prefix
  if (sizeOf(prefix) <= 2n) return []
  const says = (address: bigint, what: string): [bigint, string] => [
    address,
    `${formatAddress(family, address)} is ${what} of ${formatPrefix(prefix)}`,
  ]
  if (family === 6) return [says(start, 'the anycast address of the routers')]
  return [says(start, 'the network address'), says(lastOf(prefix), 'the broadcast address')]
}
