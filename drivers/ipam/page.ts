import { Bits } from './bits.js'

/** A sorted list up to so many entries, bits beyond: a lone address in a huge subnet costs tens of bytes, not kilobytes. */
const LIST_ENTRIES = 64

/** A set of numbers below a capacity of at most 65,536, small while it has few members. */
export class Page {
  readonly capacity: number
  #members: number[] | Bits = []

  constructor(capacity: number) {
    this.capacity = capacity
  }

  /** A page with every number in it. */
  static full(capacity: number): Page {
    const page = new Page(capacity)
    page.#members = Bits.full(capacity)
    return page
  }

  get count(): number {
    return this.#members instanceof Bits ? this.#members.count : this.#members.length
  }

  has(number: number): boolean {
    if (this.#members instanceof Bits) return this.#members.has(number)
    return this.#members[position(this.#members, number)] === number
  }

  add(number: number): boolean {
    const members = this.#members
    if (members instanceof Bits) return members.add(number)
    const at = position(members, number)
    if (members[at] === number) return false
    if (members.length < LIST_ENTRIES) {
      if (at === members.length) members.push(number)
      else members.splice(at, 0, number)
      return true
    }
    const bits = new Bits(this.capacity)
    for (const member of members) bits.add(member)
    this.#members = bits
    return bits.add(number)
  }

  delete(number: number): boolean {
    const members = this.#members
    if (members instanceof Bits) return members.delete(number)
    const at = position(members, number)
    if (members[at] !== number) return false
    members.splice(at, 1)
    return true
  }

  /** The lowest number from `from` on that is not in the set, or -1. */
  nextFree(from: number): number {
    const members = this.#members
    if (members instanceof Bits) return members.nextFree(from)
    let at = position(members, from)
    while (members[at] === from) {
      at++
      from++
    }
    return from < this.capacity ? from : -1
  }

  countBetween(first: number, last: number): number {
    if (this.#members instanceof Bits) return this.#members.countBetween(first, last)
    return position(this.#members, last + 1) - position(this.#members, first)
  }
}

/** Index of the first member that is not smaller. */
function position(members: readonly number[], number: number): number {
  let [low, high] = [0, members.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (members[middle]! < number) low = middle + 1
    else high = middle
  }
  return low
}
