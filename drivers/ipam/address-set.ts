import { Page } from './page.js'

const PAGE_BITS = 16n
const PAGE_SIZE = 65_536
const PAGE_MASK = 0xffffn

/**
 * A set of offsets in a subnet of any size, with a fast search for the next that is free. Pages of 65,536 exist only
 * where something is taken and something is free; pages that are full are members of a set of the same kind, so that
 * the search passes any number of them in one step per 16 bits.
 */
export class AddressSet {
  readonly #size: bigint
  readonly #pages = new Map<number | bigint, Page>()
  #fullPages: AddressSet | undefined
  #count = 0n

  /** @param size how many offsets there are: 0 to size - 1 */
  constructor(size: bigint) {
    this.#size = size
  }

  get count(): bigint {
    return this.#count
  }

  has(offset: bigint): boolean {
    const index = offset >> PAGE_BITS
    const page = this.#pages.get(key(index))
    if (page !== undefined) return page.has(Number(offset & PAGE_MASK))
    return this.#fullPages?.has(index) ?? false
  }

  /** @returns whether it was not in the set before */
  add(offset: bigint): boolean {
    const index = offset >> PAGE_BITS
    const name = key(index)
    let page = this.#pages.get(name)
    if (page === undefined) {
      if (this.#fullPages?.has(index)) return false
      page = new Page(this.#capacity(index))
      this.#pages.set(name, page)
    }
    if (!page.add(Number(offset & PAGE_MASK))) return false
    this.#count++
    if (page.count === page.capacity) {
      this.#pages.delete(name)
      this.#fullPages ??= new AddressSet(((this.#size - 1n) >> PAGE_BITS) + 1n)
      this.#fullPages.add(index)
    }
    return true
  }

  /** @returns whether it was in the set before */
  delete(offset: bigint): boolean {
    const index = offset >> PAGE_BITS
    const name = key(index)
    let page = this.#pages.get(name)
    if (page === undefined) {
      if (!this.#fullPages?.delete(index)) return false
      page = Page.full(this.#capacity(index))
      this.#pages.set(name, page)
    }
    if (!page.delete(Number(offset & PAGE_MASK))) return false
    this.#count--
    if (page.count === 0) this.#pages.delete(name)
    return true
  }

  /** The lowest offset from `from` on that is not in the set. */
  nextFree(from: bigint): bigint | undefined {
    for (let index: bigint | undefined = from >> PAGE_BITS, low = Number(from & PAGE_MASK); ; low = 0) {
      if (index === undefined || index << PAGE_BITS >= this.#size) return undefined
      const page = this.#pages.get(key(index))
      if (page === undefined && !this.#fullPages?.has(index)) {
        const offset = (index << PAGE_BITS) | BigInt(low)
        return offset < this.#size ? offset : undefined
      }
      const free = page?.nextFree(low) ?? -1
      if (free >= 0) return (index << PAGE_BITS) | BigInt(free)
      index = this.#fullPages === undefined ? index + 1n : this.#fullPages.nextFree(index + 1n)
    }
  }

  /** How many offsets from `first` to `last`, both included, are in the set. */
  countBetween(first: bigint, last: bigint): bigint {
    const [from, to] = [first >> PAGE_BITS, last >> PAGE_BITS]
    let count = 0n
    for (const [name, page] of this.#pages) {
      const index = BigInt(name)
      if (index < from || index > to) continue
      const low = index === from ? Number(first & PAGE_MASK) : 0
      const high = index === to ? Number(last & PAGE_MASK) : page.capacity - 1
      count += BigInt(page.countBetween(low, high))
    }
    return count + this.#countFullPages(first, last)
  }

  #countFullPages(first: bigint, last: bigint): bigint {
    const full = this.#fullPages
    if (full === undefined) return 0n
    const [from, to] = [first >> PAGE_BITS, last >> PAGE_BITS]
    const whole = full.countBetween(from, to) * BigInt(PAGE_SIZE)
    // The last page may be shorter, and the range may begin or end inside of a page.
    const before = full.has(from) ? first & PAGE_MASK : 0n
    const after = full.has(to) ? PAGE_MASK - (last & PAGE_MASK) : 0n
    return whole - before - after
  }

  #capacity(index: bigint): number {
    const rest = this.#size - (index << PAGE_BITS)
    return rest < PAGE_SIZE ? Number(rest) : PAGE_SIZE
  }
}

/** Small page numbers as numbers: a Map finds them faster. */
const key = (index: bigint): number | bigint => (index <= Number.MAX_SAFE_INTEGER ? Number(index) : index)
