import type { FirewallFamily } from '../../contracts/firewall.js'
import type { Expression, MapLookup, Statement, Verdict } from '../../contracts/firewall-rules.js'
import type { KeyPart, Scalar } from '../../contracts/firewall-types.js'
import { keyExpression, withOperators, known } from './decompile-expression.js'
import { decodeData } from './element-keys.js'
import { decodeElements, type KernelElement } from './kernel-elements.js'
import type { KernelExpression } from './kernel-expressions.js'
import type { Part } from './key-layout.js'
import { ProtocolContext } from './protocols.js'
import { RegisterFile, type Content } from './register-file.js'
import { decodeVerdict } from './verdicts.js'

/** A set that belongs to a rule, as far as reading the rule needs it. */
export interface RuleSet {
  interval: boolean
  elements: readonly KernelElement[]
}

/** Finds the sets that belong to rules; `undefined` for sets that have a name of their own. */
export type FindRuleSet = (name: string, id: number | undefined) => RuleSet | undefined

type Item = KeyPart | KeyPart[]

/** A rule while its instructions are read. */
export class Reading {
  readonly statements: Statement[] = []
  readonly registers = new RegisterFile()
  readonly protocols: ProtocolContext
  /** Instructions that are part of a statement already. */
  readonly #told = new Set<number>()

  constructor(
    readonly family: FirewallFamily,
    readonly instructions: readonly KernelExpression[],
    readonly findSet: FindRuleSet,
  ) {
    this.protocols = new ProtocolContext(family)
  }

  /** A statement made of the instructions `at` and of those that loaded what it uses. */
  say(statement: Statement, at: number | readonly number[], uses: readonly Content[]): true {
    this.statements.push(statement)
    if ('match' in statement) this.protocols.learn(statement.match)
    for (const index of [at].flat()) this.#told.add(index)
    this.#use(uses)
    return true
  }

  #use(contents: readonly Content[]): void {
    for (const content of contents) {
      content.fresh = false
      for (const index of content.from) this.#told.add(index)
      if (content.value.is === 'lookup') this.#use(content.value.key)
    }
  }

  /** Instructions that nothing was made of, up to and with `last`, as they are. */
  sayRaw(last: number, toText: (instruction: KernelExpression) => { name: string; data: string }): void {
    const raw: { name: string; data: string }[] = []
    for (let i = 0; i <= last && i < this.instructions.length; i++) {
      if (this.#told.has(i)) continue
      this.#told.add(i)
      raw.push(toText(this.instructions[i]!))
    }
    const before = this.statements.at(-1)
    if (before !== undefined && 'raw' in before) before.raw.push(...raw)
    else if (raw.length > 0) this.statements.push({ raw })
    for (const content of this.registers.pending()) content.fresh = false
  }

  expression(content: Content): ReturnType<typeof known> {
    return known(content, this.protocols.known())
  }

  /** The key of a look-up in a set; of one that belongs to the rule also its elements. */
  key(contents: readonly Content[], set: RuleSet | undefined): { expression: Expression; parts: Part[] } | undefined {
    return keyExpression(contents, this.protocols.known(), set?.interval === true)
  }

  /** What a map gives, for somebody who expects data of these types. */
  lookup({ set, setId, key }: Extract<Content['value'], { is: 'lookup' }>, data: Part[]): MapLookup | undefined {
    const own = this.findSet(set, setId)
    const found = this.key(key, own)
    if (found === undefined) return undefined
    if (own === undefined) return { map: set, key: found.expression }
    const pairs = elementsOf(own, found.parts).map(({ item, element }): [Item, Scalar | Scalar[]] => {
      const values = element.data instanceof Uint8Array ? decodeData(data, element.data) : []
      return [item, values.length === 1 ? values[0]! : values]
    })
    return { map: pairs, key: found.expression }
  }

  verdictMap(set: string, setId: number | undefined, key: readonly Content[]): Extract<Statement, { vmap: unknown }> | undefined {
    const own = this.findSet(set, setId)
    const found = this.key(key, own)
    if (found === undefined) return undefined
    if (own === undefined) return { vmap: { key: found.expression, map: set } }
    const pairs: [Item, Verdict][] = []
    for (const { item, element } of elementsOf(own, found.parts)) {
      const verdict = element.data === undefined || element.data instanceof Uint8Array ? undefined : decodeVerdict(element.data)
      if (verdict === undefined) return undefined
      pairs.push([item, verdict])
    }
    return { vmap: { key: found.expression, map: pairs } }
  }

  /** A value of the packet with its operators, in the byte order of `order`. */
  value(content: Content, order: 'big' | 'host'): Expression | undefined {
    const found = this.expression(content)
    if (found === undefined || found.part.shift !== 0) return undefined
    const source = found.swapped ? 'big' : found.part.type.order
    return content.length > 1 && source !== order ? undefined : withOperators(found)
  }
}

export function elementsOf({ interval, elements }: RuleSet, parts: Part[]): { item: Item; element: KernelElement }[] {
  return decodeElements({ parts, interval }, elements).map(({ key, element }) => ({ item: key.length === 1 ? key[0]! : key, element }))
}
