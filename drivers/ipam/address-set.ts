import { Page } from './page.js'

const PAGE_SIZE = 65_536

/**
 * A set of offsets in a subnet of any size, with a fast search for the next that is free. Pages of 65,536 exist only
 * where something is taken and something is free; pages that are full are members of a set of the same kind, so that
 * the search passes any number of them in one step per 16 bits.
 */
export class AddressSet {
  readonly #size: bigint
  /** By page number. */
  readonly #pages = new Map<number | bigint, Page>()
  readonly #pageOf: (offset: bigint) => number | bigint
  #fullPages: AddressSet | undefined
  #count = 0

  /** @param size how many offsets there are: 0 to size - 1 */
  constructor(size: bigint) {
    this.#size = size
    this.#pageOf = size <= Number.MAX_SAFE_INTEGER ? smallPage : largePage
  }

  get count(): number {
    return this.#count
  }

  has(offset: bigint): boolean {
    const number = this.#pageOf(offset)
    const page = this.#pages.get(number)
    return page === undefined ? this.#isFull(number) : page.has(inPage(offset))
  }

  /** @returns whether it was not in the set before */
  add(offset: bigint): boolean {
    const number = this.#pageOf(offset)
    let page = this.#pages.get(number)
    if (page === undefined) {
      if (this.#isFull(number)) return false
      page = new Page(this.#capacity(number))
      this.#pages.set(number, page)
    }
    if (!page.add(inPage(offset))) return false
    this.#count++
    if (page.count === page.capacity && this.#size > PAGE_SIZE) {
      this.#pages.delete(number)
      this.#fullPages ??= new AddressSet((this.#size - 1n) / BigInt(PAGE_SIZE) + 1n)
      this.#fullPages.add(BigInt(number))
    }
    return true
  }

  /** @returns whether it was in the set before */
  delete(offset: bigint): boolean {
    const number = this.#pageOf(offset)
    let page = this.#pages.get(number)
    if (page === undefined) {
      if (!this.#fullPages?.delete(BigInt(number))) return false
      page = Page.full(this.#capacity(number))
      this.#pages.set(number, page)
    }
    if (!page.delete(inPage(offset))) return false
    this.#count--
    if (page.count === 0) this.#pages.delete(number)
    return true
  }

  /** The lowest offset from `from` on that is not in the set. */
  nextFree(from: bigint): bigint | undefined {
    if (from >= this.#size) return undefined
    let number: number | bigint = this.#pageOf(from)
    for (let low = inPage(from); ; low = 0) {
      const page = this.#pages.get(number)
      const free = page === undefined ? (this.#isFull(number) ? -1 : low) : page.nextFree(low)
      if (free >= 0) return offsetOf(number, free)
      const next: bigint | undefined = this.#fullPages === undefined ? BigInt(number) + 1n : this.#fullPages.nextFree(BigInt(number) + 1n)
      if (next === undefined || next * BigInt(PAGE_SIZE) >= this.#size) return undefined
      number = typeof number === 'number' ? Number(next) : next
    }
  }

  /** How many offsets from `first` to `last`, both included, are in the set. */
  countBetween(first: bigint, last: bigint): bigint {
    const [from, to] = [this.#pageOf(first), this.#pageOf(last)]
    let count = 0
    for (const [number, page] of this.#pages) {
      if (number < from || number > to) continue
      count += page.countBetween(number === from ? inPage(first) : 0, number === to ? inPage(last) : page.capacity - 1)
    }
    return BigInt(count) + this.#countFullPages(first, last)
  }

  #countFullPages(first: bigint, last: bigint): bigint {
    const full = this.#fullPages
    if (full === undefined) return 0n
    const [from, to] = [BigInt(this.#pageOf(first)), BigInt(this.#pageOf(last))]
    const whole = full.countBetween(from, to) * BigInt(PAGE_SIZE)
    // The range may begin or end inside of a page, and the last page of all may be shorter.
    const before = full.has(from) ? inPage(first) : 0
    const after = full.has(to) ? PAGE_SIZE - 1 - inPage(last) : 0
    return whole - BigInt(before + after)
  }

  #isFull(number: number | bigint): boolean {
    return this.#fullPages !== undefined && this.#fullPages.has(BigInt(number))
  }

  #capacity(number: number | bigint): number {
    const rest = this.#size - BigInt(number) * BigInt(PAGE_SIZE)
    return rest < PAGE_SIZE ? Number(rest) : PAGE_SIZE
  }
}

/** Of an offset that a double holds: several times as fast as with a bigint. */
const smallPage = (offset: bigint): number => Math.floor(Number(offset) / PAGE_SIZE)
const largePage = (offset: bigint): bigint => offset >> 16n
const inPage = (offset: bigint): number => Number(BigInt.asUintN(16, offset))
const offsetOf = (page: number | bigint, low: number): bigint =>
  typeof page === 'number' ? BigInt(page * PAGE_SIZE + low) : (page << 16n) | BigInt(low)
