/**
 * A set of small numbers with a fast search for the next that is not in it. Level 0 has a bit per number; each level
 * above has a bit per word below, set when that word is full. Bits past the capacity count as set.
 */
export class Bits {
  readonly capacity: number
  readonly #levels: Uint32Array[] = []
  #count = 0

  constructor(capacity: number) {
    this.capacity = capacity
    for (let bits = capacity; ;) {
      const words = Math.ceil(bits / 32)
      const level = new Uint32Array(words)
      if (bits % 32 !== 0) level[words - 1] = ~0 << (bits % 32)
      this.#levels.push(level)
      if (words === 1) return
      bits = words
    }
  }

  /** The set of all numbers below the capacity. */
  static full(capacity: number): Bits {
    const bits = new Bits(capacity)
    for (const level of bits.#levels) level.fill(0xffffffff)
    bits.#count = capacity
    return bits
  }

  get count(): number {
    return this.#count
  }

  has(number: number): boolean {
    return (this.#levels[0]![number >>> 5]! & (1 << (number & 31))) !== 0
  }

  /** @returns whether it was not in the set before */
  add(number: number): boolean {
    if (this.has(number)) return false
    this.#count++
    for (const level of this.#levels) {
      const word = number >>> 5
      level[word]! |= 1 << (number & 31)
      if (level[word] !== 0xffffffff) return true
      number = word
    }
    return true
  }

  /** @returns whether it was in the set before */
  delete(number: number): boolean {
    if (!this.has(number)) return false
    this.#count--
    for (const level of this.#levels) {
      const word = number >>> 5
      const wasFull = level[word] === 0xffffffff
      level[word]! &= ~(1 << (number & 31))
      if (!wasFull) return true
      number = word
    }
    return true
  }

  /** The lowest number from `from` on that is not in the set, or -1. */
  nextFree(from: number): number {
    for (let level = 0, index = from; level < this.#levels.length; level++) {
      const words = this.#levels[level]!
      const word = index >>> 5
      if (word >= words.length) return -1
      const free = ~words[word]! & (~0 << (index & 31))
      if (free !== 0) return this.#descend(level, (word << 5) | lowestBit(free))
      index = word + 1
    }
    return -1
  }

  #descend(level: number, index: number): number {
    while (level-- > 0) index = (index << 5) | lowestBit(~this.#levels[level]![index]!)
    return index
  }

  /** How many numbers from `first` to `last`, both included, are in the set. */
  countBetween(first: number, last: number): number {
    const words = this.#levels[0]!
    let count = 0
    for (let word = first >>> 5; word <= last >>> 5; word++) {
      let bits = words[word]!
      if (word === first >>> 5) bits &= ~0 << (first & 31)
      if (word === last >>> 5) bits &= ~0 >>> (31 - (last & 31))
      count += bitCount(bits)
    }
    return count
  }
}

const lowestBit = (word: number): number => 31 - Math.clz32(word & -word)

/** Adds up neighbouring bits, pairs, nibbles, bytes. */
function bitCount(word: number): number {
  word -= (word >>> 1) & 0x55555555
  word = (word & 0x33333333) + ((word >>> 2) & 0x33333333)
  word = (word + (word >>> 4)) & 0x0f0f0f0f
  return Math.imul(word, 0x01010101) >>> 24
}
