import { randomFillSync } from 'node:crypto'
import type { Arena, Datagrams, EventLoop } from '../../../src/kernel/loop/index.js'
import type { DnsTuning } from '../contract.js'
import { MAX_MESSAGE } from '../wire/constants.js'

/** What everything that talks to servers shares. */
export class ServerIo {
  /** Offset of a place for one message of any size with its two bytes of length before it. */
  readonly scratch: number
  readonly #random = new Uint16Array(2048)
  #used = this.#random.length

  constructor(
    readonly loop: EventLoop,
    readonly arena: Arena,
    readonly incoming: Datagrams,
    readonly tuning: DnsTuning,
  ) {
    this.scratch = arena.take(MAX_MESSAGE + 2)
  }

  /** 16 bits that cannot be guessed. */
  random(): number {
    if (this.#used === this.#random.length) {
      randomFillSync(this.#random)
      this.#used = 0
    }
    return this.#random[this.#used++]!
  }
}
