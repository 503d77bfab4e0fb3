/** Seeded damage to netlink messages: what a broken or hostile sender, a cut buffer, or another kernel version gives. */

/** xorshift32: small, fast, and the same everywhere. */
export class Random {
  #state: number
  constructor(seed: number) {
    this.#state = seed >>> 0 || 1
  }
  /** 0 to `below` - 1. */
  next(below: number): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    return this.#state % below
  }
  pick<T>(values: readonly T[]): T {
    return values[this.next(values.length)]!
  }
}

const INTERESTING = [0, 1, 3, 4, 5, 7, 8, 0x7f, 0x80, 0xff]

type Mutation = (bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array

const MUTATIONS: Mutation[] = [
  // single bits and bytes
  (bytes, random) => edit(bytes, (copy) => (copy[random.next(copy.length)]! ^= 1 << random.next(8))),
  (bytes, random) => edit(bytes, (copy) => (copy[random.next(copy.length)] = random.pick(INTERESTING))),
  // many bytes
  (bytes, random) => edit(bytes, (copy) => repeat(1 + random.next(16), () => (copy[random.next(copy.length)] = random.next(256)))),
  // lengths and types of attributes, which lie at multiples of four
  (bytes, random) =>
    edit(bytes, (copy) => (copy[random.next(Math.max(1, copy.length >> 2)) * 4 + random.next(4)] = random.pick(INTERESTING))),
  (bytes, random) =>
    edit(bytes, (copy) =>
      new DataView(copy.buffer).setUint16(
        (random.next(Math.max(1, copy.length >> 2)) * 4) % Math.max(1, copy.length - 1),
        random.pick([0, 1, 3, 4, 5, 0xffff, copy.length, copy.length + 4]),
        true,
      ),
    ),
  // cut, extended, cut out, repeated, spliced
  (bytes, random) => bytes.slice(0, random.next(bytes.length + 1)),
  (bytes, random) => join(bytes, noise(random, random.next(64))),
  (bytes, random) => join(bytes.slice(0, random.next(bytes.length)), bytes.slice(random.next(bytes.length))),
  (bytes, random, other) => join(bytes.slice(0, random.next(bytes.length) & ~3), other.slice(random.next(other.length) & ~3)),
  // nothing of the original
  (_bytes, random) => noise(random, random.next(512)),
]

/** One to three kinds of damage. @param other another message, to take parts from */
export function mutate(bytes: Uint8Array, random: Random, other: Uint8Array): Uint8Array {
  let mutated = bytes
  repeat(1 + random.next(3), () => {
    if (mutated.length > 0 && other.length > 0) mutated = random.pick(MUTATIONS)(mutated, random, other)
  })
  return mutated
}

/** The bytes in the middle of a larger buffer full of `fill`: reading beyond them changes the result. */
export function surrounded(bytes: Uint8Array, fill: number): Uint8Array {
  const margin = 256
  const room = new Uint8Array(bytes.length + 2 * margin).fill(fill)
  room.set(bytes, margin)
  return room.subarray(margin, margin + bytes.length)
}

function edit(bytes: Uint8Array, change: (copy: Uint8Array) => unknown): Uint8Array {
  const copy = bytes.slice()
  if (copy.length > 1) change(copy)
  return copy
}

function repeat(times: number, body: () => unknown): void {
  for (let i = 0; i < times; i++) body()
}

const join = (a: Uint8Array, b: Uint8Array): Uint8Array => Uint8Array.from(Buffer.concat([a, b]))

const noise = (random: Random, length: number): Uint8Array => Uint8Array.from({ length }, () => random.next(256))
