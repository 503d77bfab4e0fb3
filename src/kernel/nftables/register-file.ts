import type { Expression } from '../../contracts/firewall-rules.js'
import type { Part } from './key-layout.js'
import { registerCount } from './program.js'

/** What a register is known to hold while the instructions of a rule are read. */
export interface Content {
  /** Bytes. */
  length: number
  /** Instructions that made it. */
  from: number[]
  value:
    | { is: 'constant'; bytes: Uint8Array }
    /** Bytes of a header; which field it is shows when the mask is known. */
    | { is: 'payload'; base: number; offset: number; mask?: Uint8Array; flip?: Uint8Array }
    | {
        is: 'expression'
        expression: Expression
        part: Part
        mask?: Uint8Array
        flip?: Uint8Array
        /** Turned round to network order. */ swapped?: boolean
      }
    /** What a map has for a key. */
    | { is: 'lookup'; set: string; setId?: number; key: Content[] }
  /** No statement has used it yet. */
  fresh: boolean
}

const COUNT = 16

export class RegisterFile {
  #contents: (Content | undefined)[] = Array.from({ length: COUNT })

  set(register: number, content: Content): void {
    for (let i = 0; i < registerCount(content.length) && register + i < COUNT; i++) this.#contents[register + i] = undefined
    if (register >= 0 && register < COUNT) this.#contents[register] = content
  }

  get(register: number | undefined): Content | undefined {
    return register === undefined ? undefined : this.#contents[register]
  }

  /**
   * The parts of a key that begins at `register`: what has been loaded there and behind, and not been used.
   * @param length Bytes of the key, if the instruction says
   * @param stop A register that belongs to something else
   */
  key(register: number, length?: number, stop?: number): Content[] | undefined {
    const first = this.get(register)
    if (first === undefined) return undefined
    const parts = [first]
    let next = register + registerCount(first.length)
    const end = length === undefined ? COUNT : register + registerCount(length)
    while (next < end && next !== stop) {
      const part = this.get(next)
      if (part === undefined || !part.fresh) break
      parts.push(part)
      next += registerCount(part.length)
    }
    return parts
  }

  /** What has been loaded and not been used. */
  pending(): Content[] {
    return this.#contents.filter((content): content is Content => content?.fresh === true)
  }

  clear(): void {
    this.#contents.fill(undefined)
  }
}
