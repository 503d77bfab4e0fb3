/** What is in registers, as expressions. */
import type { Expression, FibKey } from '../../contracts/firewall-rules.js'
import type { NumberGenerator, Scalar } from '../../contracts/firewall-types.js'
import * as bits from './bytes.js'
import { byteLength, integer, TYPES, type DataType } from './data-types.js'
import type { Instruction } from './kernel-expressions.js'
import { partOf, type Part } from './key-layout.js'
import * as keys from './packet-keys.js'
import { BASES, fieldAt, payloadField, type Base } from './payload-fields.js'
import type { Protocol } from './protocols.js'
import { HASH_RESULT } from './program.js'
import type { Content } from './register-file.js'
import { decodeValue, needsSwap } from './values.js'

/** An expression with the place and type of its value; the mask and flip that are left are not part of the expression. */
export interface Known {
  expression: Expression
  part: Part
  mask?: Uint8Array
  flip?: Uint8Array
  swapped: boolean
}

type Loaded = { expression: Expression; type: DataType }

export const baseName = (number: number): Base | undefined => (Object.keys(BASES) as Base[]).find((name) => BASES[name] === number)

/** The expression that a load instruction stands for. Payload is left to {@link known}. */
export function decodeLoad(instruction: Instruction, family: string): Loaded | undefined {
  switch (instruction.name) {
    case 'meta': {
      const meta = keys.keyName(keys.META, instruction.key ?? -1)
      return meta && { expression: { meta }, type: keys.META[meta].type }
    }
    case 'rt': {
      const rt = keys.keyName(keys.RT, instruction.key ?? -1)
      return rt && { expression: { rt }, type: keys.RT[rt].type }
    }
    case 'ct':
      return decodeConntrack(instruction, family)
    case 'fib':
      return decodeFib(instruction)
    case 'exthdr':
      return decodeTcpOption(instruction)
    case 'numgen': {
      const mode: NumberGenerator['mode'] = instruction.mode === 1 ? 'random' : 'inc'
      return { expression: { numgen: { mode, ...modulus(instruction) } }, type: HASH_RESULT }
    }
    case 'hash':
      return instruction.mode === 1 ? { expression: { symhash: modulus(instruction) }, type: HASH_RESULT } : undefined
    case 'socket': {
      const socket = keys.keyName(keys.SOCKET, instruction.key ?? -1)
      const level = socket === 'cgroupv2' ? { level: instruction.level ?? 0 } : {}
      return socket && { expression: { socket, ...level }, type: keys.SOCKET[socket].type }
    }
    case 'xfrm': {
      const ipsec = keys.keyName(keys.XFRM, instruction.key ?? -1)
      const spnum = instruction.spnum === undefined || instruction.spnum === 0 ? {} : { spnum: instruction.spnum }
      return (
        ipsec && { expression: { ipsec, direction: instruction.direction === 1 ? 'out' : 'in', ...spnum }, type: keys.XFRM[ipsec].type }
      )
    }
    default:
      return undefined
  }
}

function decodeConntrack({ key, direction }: Instruction<'ct'>, family: string): Loaded | undefined {
  const ct = keys.keyName(keys.CT, key ?? -1)
  if (ct === undefined) return undefined
  const generic = ct === 'saddr' || ct === 'daddr'
  if (generic && family !== 'ip' && family !== 'ip6') return undefined
  const type = generic && family === 'ip6' ? TYPES.ipv6_addr : keys.CT[ct].type
  return { expression: { ct, ...(direction !== undefined && { direction: direction === 1 ? 'reply' : 'original' }) }, type }
}

function decodeFib({ flags = 0, result }: Instruction<'fib'>): Loaded | undefined {
  const exists = (flags & keys.FIB_PRESENT) !== 0
  const name = exists ? 'exists' : (['oif', 'oifname', 'type'] as const).find((key) => keys.FIB_RESULTS[key].number === result)
  if (name === undefined || (exists && result !== keys.FIB_RESULTS.exists.number)) return undefined
  const list = (Object.keys(keys.FIB_KEYS) as FibKey[]).filter((key) => flags & keys.FIB_KEYS[key])
  return { expression: { fib: { keys: list, result: name } }, type: keys.FIB_RESULTS[name].type }
}

const TCP_OPTION_OP = 1
const EXTHDR_PRESENT = 1

export function decodeTcpOption({ kind, offset, length, flags = 0, op }: Instruction<'exthdr'>): Loaded | undefined {
  if (op !== TCP_OPTION_OP || kind === undefined) return undefined
  if (flags === EXTHDR_PRESENT)
    return offset === 0 && length === 1 ? { expression: { tcpOptionExists: kind }, type: TYPES.boolean } : undefined
  const names = Object.keys(keys.TCP_OPTIONS) as (keyof typeof keys.TCP_OPTIONS)[]
  const tcpOption = names.find((name) => {
    const option = keys.TCP_OPTIONS[name]
    return option.kind === kind && option.offset === offset && byteLength(option.type) === length
  })
  return tcpOption && { expression: { tcpOption }, type: keys.TCP_OPTIONS[tcpOption].type }
}

export function modulus({ modulus: mod = 0, offset = 0 }: { modulus?: number; offset?: number }): { mod: number; offset?: number } {
  return { mod, ...(offset !== 0 && { offset }) }
}

/** Content as an expression. @param protocols whose fields the rule may read here */
export function known(content: Content, protocols: readonly Protocol[]): Known | undefined {
  const { value, length } = content
  if (value.is === 'expression') return { ...value, swapped: value.swapped === true }
  if (value.is !== 'payload') return undefined
  const base = baseName(value.base)
  if (base === undefined) return undefined
  const { mask, flip } = value
  const within = mask === undefined || flip !== undefined ? undefined : fieldWithin(protocols, base, value.offset, length, mask)
  if (within !== undefined) return { ...within, swapped: false }
  const name = fieldAt(protocols, base, value.offset * 8, length * 8)
  const field = name === undefined ? undefined : payloadField(name)
  const pending = { ...(mask && { mask }), ...(flip && { flip }), swapped: false }
  if (name !== undefined && field !== undefined) return { expression: { payload: name }, part: partOf(field.type), ...pending }
  if (length < 1 || length > 16) return undefined
  return { expression: { payload: { base, offset: value.offset * 8, length: length * 8 } }, part: partOf(integer(length * 8)), ...pending }
}

/** The field whose bits are exactly those of the mask. */
export function fieldWithin(
  protocols: readonly Protocol[],
  base: Base,
  offset: number,
  length: number,
  mask: Uint8Array,
): { expression: Expression; part: Part } | undefined {
  const run = runOfOnes(mask)
  if (run === undefined || mask.length !== length) return undefined
  const name = fieldAt(protocols, base, offset * 8 + run.start, run.count)
  const field = name === undefined ? undefined : payloadField(name)
  if (name === undefined || field === undefined) return undefined
  return { expression: { payload: name }, part: { type: field.type, length, shift: length * 8 - run.start - run.count } }
}

/** Where the ones of a mask are, when they are all together. */
export function runOfOnes(mask: Uint8Array): { start: number; count: number } | undefined {
  const digits = Array.from(mask, (byte) => byte.toString(2).padStart(8, '0')).join('')
  const match = /^(0*)(1+)0*$/.exec(digits)
  return match === null ? undefined : { start: match[1]!.length, count: match[2]!.length }
}

/** The expression with its mask and flip as operators. `swapped` is left to the caller. */
export function withOperators({ expression, part, mask, flip }: Known): Expression {
  const { type } = part
  const scalar = (bytes: Uint8Array): Scalar | Scalar[] => decodeValue(type, bytes)
  const ones = bits.not(new Uint8Array(part.length))
  const and = mask === undefined || bits.isAllOnes(mask) ? undefined : mask
  const xor = flip === undefined || bits.isZero(flip) ? undefined : flip
  if (xor === undefined) return and === undefined ? expression : { '&': [expression, scalar(and)] }
  if (and === undefined) return { '^': [expression, scalar(xor)] }
  if (bits.sameBytes(bits.xor(and, ones), xor)) return { '|': [expression, scalar(xor)] }
  const masked: Expression = { '&': [expression, scalar(and)] }
  return bits.isZero(bits.and(and, xor)) ? { '|': [masked, scalar(xor)] } : { '^': [masked, scalar(xor)] }
}

/** A key of one or several parts. @param networkOrder Numbers in host order have been turned round because of the kind of set. */
export function keyExpression(
  contents: readonly Content[],
  protocols: readonly Protocol[],
  networkOrder: boolean,
): { expression: Expression; parts: Part[] } | undefined {
  const list: Expression[] = []
  const parts: Part[] = []
  for (const content of contents) {
    const found = known(content, protocols)
    if (found === undefined) return undefined
    const expression = withOperators(found)
    if (networkOrder && needsSwap(found.part.type) && !found.swapped) return undefined
    const explicit = found.swapped && !networkOrder
    list.push(explicit ? { hton: expression } : expression)
    parts.push(found.swapped ? { ...found.part, type: { ...found.part.type, order: 'big' } } : found.part)
  }
  const [only] = list
  return only === undefined ? undefined : { expression: list.length === 1 ? only : { concat: list }, parts }
}
