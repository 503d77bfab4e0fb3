import type { Expression, Match, MatchRight } from '../../contracts/firewall-rules.js'
import * as bits from './bytes.js'
import { CMP } from './compile-match.js'
import { withOperators, baseName, type Known } from './decompile-expression.js'
import type { DataType } from './data-types.js'
import type { Instruction } from './kernel-expressions.js'
import type { Part } from './key-layout.js'
import { addressAt } from './payload-fields.js'
import { elementsOf, type Reading } from './reading.js'
import type { Content } from './register-file.js'
import { decodeInterval, decodeValue, needsSwap } from './values.js'

type Operator = keyof typeof CMP
const OPERATORS = Object.keys(CMP) as Operator[]
const RANGE_NEQ = 1
const INVERTED = 1

/** @returns whether a statement was made of the instruction */
export function decodeCmp(reading: Reading, at: number, { sreg, op: number = -1, data }: Instruction<'cmp'>): boolean {
  const content = reading.registers.get(sreg)
  const op = OPERATORS.find((name) => CMP[name] === number)
  if (content === undefined || op === undefined || data === undefined) return false
  const left = (match: Match): true => reading.say({ match }, at, [content])
  const prefix = op === '==' || op === '!=' ? payloadPrefix(reading, content, data) : undefined
  if (prefix !== undefined) return left({ left: prefix.left, op, right: prefix.right })
  const found = reading.expression(content)
  if (found === undefined) return false
  const other = reading.instructions[at + 1]
  if (op === '>=' && other?.name === 'cmp' && other.sreg === sreg && other.op === CMP['<='] && other.data !== undefined) {
    const range = isOrdered(found) ? { range: rangeOf(found.part, data, other.data) } : undefined
    if (range !== undefined) return reading.say({ match: { left: withOperators(found), op: '==', right: range } }, [at, at + 1], [content])
  }
  if (op === '==' || op === '!=') {
    const equal = equality(found, op, data)
    return equal !== undefined && left(equal)
  }
  if (!isOrdered(found) || data.length !== found.part.length) return false
  return left({ left: withOperators(found), op, right: valueOf(found.part, data, true) })
}

/** Numbers can be compared by size in network order only. */
const isOrdered = ({ part: { type }, swapped }: Known): boolean =>
  type.form !== 'string' && type.form !== 'boolean' && needsSwap(type) === swapped

function equality(found: Known, op: '==' | '!=', data: Uint8Array): Match | undefined {
  const { part, mask, flip, swapped, expression } = found
  const { type } = part
  const wrapped = (value: Expression): Expression => (swapped ? { hton: value } : value)
  if (type.form === 'string' && data.length < part.length) {
    return mask === undefined && flip === undefined && data.length > 0
      ? { left: expression, op, right: `${Buffer.from(data).toString('utf8')}*` }
      : undefined
  }
  if (data.length !== part.length) return undefined
  const onlyMask = mask !== undefined && (flip === undefined || bits.isZero(flip)) && !swapped
  if (onlyMask && type.flags === true && bits.isZero(data) && !bits.isZero(mask)) {
    return { left: expression, op: op === '!=' ? 'in' : '!in', right: [decodeValue(type, mask)].flat() }
  }
  if (onlyMask && (type.form === 'ipv4' || type.form === 'ipv6')) {
    const length = bits.maskPrefixLength(mask)
    if (length !== undefined && bits.isZero(bits.and(data, bits.not(mask))))
      return { left: expression, op, right: `${decodeValue(type, data) as string}/${length}` }
  }
  return { left: wrapped(withOperators(found)), op, right: valueOf(part, data, swapped) }
}

/** Only the bytes of an address that a prefix covers have been loaded. */
function payloadPrefix(
  reading: Reading,
  { value, length }: Content,
  data: Uint8Array,
): { left: Expression; right: MatchRight } | undefined {
  if (value.is !== 'payload' || value.mask !== undefined || value.flip !== undefined || data.length !== length) return undefined
  const base = baseName(value.base)
  const address = base === undefined ? undefined : addressAt(reading.protocols.known(), base, value.offset * 8, length * 8)
  if (address === undefined) return undefined
  const { type } = address.field
  const low = new Uint8Array(type.bits / 8)
  low.set(data)
  return { left: { payload: address.name }, right: `${decodeValue(type, low) as string}/${length * 8}` }
}

export function decodeRange(reading: Reading, at: number, { sreg, op, from, to }: Instruction<'range'>): boolean {
  const content = reading.registers.get(sreg)
  if (content === undefined || from === undefined || to === undefined) return false
  const found = reading.expression(content)
  if (found === undefined || !isOrdered(found) || from.length !== found.part.length || to.length !== from.length) return false
  const right = { range: rangeOf(found.part, from, to) }
  return reading.say({ match: { left: withOperators(found), op: op === RANGE_NEQ ? '!=' : '==', right } }, at, [content])
}

/** Also when it is a single value or a prefix, as bytes were compared by size. */
function rangeOf(part: Part, low: Uint8Array, high: Uint8Array): [never, never] {
  return [valueOf(part, low, true), valueOf(part, high, true)] as [never, never]
}

/** @param big the constant is in network order whatever the type says */
function valueOf({ type, length, shift }: Part, data: Uint8Array, big: boolean): MatchRight {
  const own = Math.ceil(type.bits / 8)
  const bytes = own === length && shift === 0 ? data : bits.shiftedRight(data, shift).slice(length - own)
  const ordered: DataType = big && needsSwap(type) ? { ...type, order: 'big' } : type
  const value = decodeValue(ordered, bytes)
  return big && Array.isArray(value) ? decodeInterval({ ...ordered, symbols: undefined, flags: false }, bytes, bytes) : value
}

/** A look-up that matches, decides, or gives a value to another instruction. */
export function decodeLookup(reading: Reading, at: number, { set, setId, sreg, dreg, flags = 0 }: Instruction<'lookup'>): boolean {
  const contents = sreg === undefined ? undefined : reading.registers.key(sreg)
  if (contents === undefined || set === undefined) return false
  if (dreg === undefined) return decodeMembership(reading, at, contents, set, setId, flags)
  if (dreg < 0) {
    const statement = reading.verdictMap(set, setId, contents)
    return statement !== undefined && reading.say(statement, at, contents)
  }
  for (const content of contents) content.fresh = false
  const from = [...contents.flatMap((content) => content.from), at]
  // How long the data are, the set says; they may take the registers of the key.
  reading.registers.set(dreg, {
    length: 4,
    from,
    fresh: true,
    value: { is: 'lookup', set, ...(setId !== undefined && { setId }), key: contents },
  })
  return true
}

function decodeMembership(
  reading: Reading,
  at: number,
  contents: Content[],
  set: string,
  setId: number | undefined,
  flags: number,
): boolean {
  const own = reading.findSet(set, setId)
  const key = reading.key(contents, own)
  if (key === undefined || (flags & ~INVERTED) !== 0) return false
  const right: MatchRight = own === undefined ? `@${set}` : { set: elementsOf(own, key.parts).map(({ item }) => item) }
  return reading.say({ match: { left: key.expression, op: flags === INVERTED ? '!=' : '==', right } }, at, contents)
}
