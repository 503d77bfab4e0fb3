import { bitsOf, type Family, lastOf, type Prefix, sizeOf } from './prefix.js'

interface Node<T> {
  readonly children: [Node<T> | undefined, Node<T> | undefined]
  taken: { prefix: Prefix; value: T } | undefined
  /** Prefix length of the largest block below that nobody has taken any part of; more than an address has bits: none. */
  largestFree: number
}

/**
 * Prefixes of one family that do not overlap, as a binary tree by address bits. Finding what overlaps a prefix, and
 * the lowest free block of a size, costs steps by address bits, not by the number of prefixes.
 */
export class PrefixTree<T> {
  readonly #bits: number
  #root: Node<T> | undefined

  constructor(readonly family: Family) {
    this.#bits = bitsOf(family)
  }

  /** The prefix must not overlap any other. */
  add(prefix: Prefix, value: T): void {
    this.#root = this.#add(this.#root, 0, prefix, value)
  }

  delete(prefix: Prefix): void {
    this.#root = this.#delete(this.#root, 0, prefix)
  }

  get(prefix: Prefix): T | undefined {
    const [found] = this.overlapping(prefix)
    return found?.prefix.length === prefix.length ? found.value : undefined
  }

  /** What overlaps a prefix, in address order: the one that contains it, or all that it contains. */
  *overlapping(prefix: Prefix): Generator<{ prefix: Prefix; value: T }> {
    let node = this.#root
    for (let depth = 0; depth < prefix.length && node !== undefined && node.taken === undefined; depth++) {
      node = node.children[this.#bit(prefix.start, depth)]
    }
    yield* below(node)
  }

  *[Symbol.iterator](): Generator<{ prefix: Prefix; value: T }> {
    yield* below(this.#root)
  }

  /** The lowest block of `length` inside of `within`, at `from` or after it, of which nobody has taken any part. */
  findFree(within: Prefix, length: number, from: bigint = within.start): Prefix | undefined {
    if (length < within.length) return undefined
    let node = this.#root
    for (let depth = 0; depth < within.length && node !== undefined; depth++) {
      if (node.taken !== undefined) return undefined
      node = node.children[this.#bit(within.start, depth)]
    }
    const start = this.#findFree(node, within, length, from)
    return start === undefined ? undefined : { family: this.family, start, length }
  }

  #findFree(node: Node<T> | undefined, block: Prefix, length: number, from: bigint): bigint | undefined {
    if (lastOf(block) < from) return undefined
    if (node === undefined) {
      const step = sizeOf({ family: this.family, length })
      const start = from <= block.start ? block.start : ((from + step - 1n) / step) * step
      return start <= lastOf(block) ? start : undefined
    }
    if (node.largestFree > length) return undefined
    const half = { family: this.family, start: block.start, length: block.length + 1 }
    return (
      this.#findFree(node.children[0], half, length, from) ??
      this.#findFree(node.children[1], { ...half, start: block.start + sizeOf(half) }, length, from)
    )
  }

  #add(node: Node<T> | undefined, depth: number, prefix: Prefix, value: T): Node<T> {
    const here = node ?? { children: [undefined, undefined], taken: undefined, largestFree: depth }
    if (depth === prefix.length) here.taken = { prefix, value }
    else {
      const bit = this.#bit(prefix.start, depth)
      here.children[bit] = this.#add(here.children[bit], depth + 1, prefix, value)
    }
    this.#measure(here, depth)
    return here
  }

  #delete(node: Node<T> | undefined, depth: number, prefix: Prefix): Node<T> | undefined {
    if (node === undefined || depth === prefix.length) return undefined
    const bit = this.#bit(prefix.start, depth)
    node.children[bit] = this.#delete(node.children[bit], depth + 1, prefix)
    if (node.children[0] === undefined && node.children[1] === undefined) return undefined
    this.#measure(node, depth)
    return node
  }

  #measure(node: Node<T>, depth: number): void {
    const [left, right] = node.children
    if (node.taken !== undefined) node.largestFree = this.#bits + 1
    else node.largestFree = Math.min(left?.largestFree ?? depth + 1, right?.largestFree ?? depth + 1)
  }

  #bit(address: bigint, depth: number): 0 | 1 {
    return (address >> BigInt(this.#bits - 1 - depth)) & 1n ? 1 : 0
  }
}

function* below<T>(node: Node<T> | undefined): Generator<{ prefix: Prefix; value: T }> {
  if (node === undefined) return
  if (node.taken !== undefined) yield node.taken
  yield* below(node.children[0])
  yield* below(node.children[1])
}
