import type { Match } from '../../contracts/firewall-rules.js'
import type { Scalar, ValueRange } from '../../contracts/firewall-types.js'
import * as bits from './bytes.js'
import { load } from './compile-expression.js'
import { lookupSet } from './compile-lookup.js'
import { BASES, payloadField } from './payload-fields.js'
import { applyMask, placedConstant, settle, toNetworkOrder, type Operand, type Program } from './program.js'
import { onlyKeys, refusal } from './refusal.js'
import { encodeInterval, encodePrefix, encodeValue, inNetworkOrder } from './values.js'

/** enum nft_cmp_ops, nft_range_ops */
export const CMP = { '==': 0, '!=': 1, '<': 2, '<=': 3, '>': 4, '>=': 5 } as const
const RANGE_NEQ = 1
const OPERATORS: readonly string[] = [...Object.keys(CMP), 'in', '!in'] satisfies string[]

export function compileMatch(program: Program, match: Match, field: string): void {
  onlyKeys(match, ['left', 'op', 'right'], field)
  const { left, op, right } = match
  if (!OPERATORS.includes(op)) throw refusal(`${field}.op`, `must be one of ${OPERATORS.join(' ')}`)
  if (right === undefined || right === null) throw refusal(`${field}.right`, 'is needed')
  const set =
    typeof right === 'string' && right.startsWith('@')
      ? right.slice(1)
      : typeof right === 'object' && 'set' in right
        ? right.set
        : undefined
  if (set !== undefined) {
    if (op !== '==' && op !== '!=') throw refusal(`${field}.op`, 'sets are matched with == and !=')
    return lookupSet(program, left, set, op === '!=', field)
  }
  const constant = right as Exclude<Match['right'], { set: unknown }>
  if (op === 'in' || op === '!in') return matchBits(program, match, constant, field)
  if (typeof constant === 'object' && 'range' in constant) return matchRange(program, match, constant, field)
  if (typeof constant === 'string' && matchPrefix(program, match, constant, field)) return
  matchValue(program, match, constant, field)
}

function matchBits(program: Program, { left, op }: Match, right: Scalar | Scalar[] | ValueRange, field: string): void {
  const operand = load(program, left, 0, `${field}.left`)
  if (operand.type.flags !== true || (typeof right === 'object' && 'range' in right))
    throw refusal(`${field}.op`, `${op} is for names of flags`)
  applyMask(operand, placedConstant(operand, encodeValue(operand.type, right, `${field}.right`)))
  settle(program, operand)
  program.emit({ name: 'cmp', sreg: 0, op: op === 'in' ? CMP['!='] : CMP['=='], data: new Uint8Array(operand.length) })
}

function matchRange(program: Program, { left, op }: Match, right: ValueRange, field: string): void {
  if (op !== '==' && op !== '!=') throw refusal(`${field}.op`, 'ranges are matched with == and !=')
  onlyKeys(right, ['range'], `${field}.right`)
  const operand = load(program, left, 0, `${field}.left`)
  if (operand.type.form === 'string' || operand.type.form === 'boolean')
    throw refusal(`${field}.right`, `there are no ranges of ${operand.type.name}`)
  const { low, high } = encodeInterval(operand.type, right, `${field}.right`)
  settle(program, operand)
  toNetworkOrder(program, operand)
  const [from, to] = [placedConstant(operand, low), placedConstant(operand, high)]
  if (op === '!=') program.emit({ name: 'range', sreg: 0, op: RANGE_NEQ, from, to })
  else {
    program.emit({ name: 'cmp', sreg: 0, op: CMP['>='], data: from })
    program.emit({ name: 'cmp', sreg: 0, op: CMP['<='], data: to })
  }
}

/** @returns false when `right` is no prefix */
function matchPrefix(program: Program, { left, op }: Match, right: string, field: string): boolean {
  if (!/[/*]/.test(right)) return false
  const whole = 'payload' in left && typeof left.payload === 'string' ? payloadField(left.payload) : undefined
  const prefix = whole === undefined ? undefined : encodePrefix(whole.type, right, `${field}.right`)
  if (whole !== undefined && prefix !== undefined && prefix.length > 0 && prefix.length % 8 === 0) {
    const length = prefix.length / 8
    checkPrefix(op, prefix, field)
    program.emit({ name: 'payload', dreg: 0, base: BASES[whole.base], offset: whole.offset >> 3, length })
    program.emit({ name: 'cmp', sreg: 0, op: CMP[op as '=='], data: prefix.bytes.slice(0, length) })
    return true
  }
  const operand = load(program, left, 0, `${field}.left`)
  const masked = encodePrefix(operand.type, right, `${field}.right`)
  if (masked === undefined) compareValue(program, operand, op, right, field)
  else comparePrefix(program, operand, op, masked, field)
  return true
}

function comparePrefix(
  program: Program,
  operand: Operand,
  op: Match['op'],
  prefix: { bytes: Uint8Array; length: number },
  field: string,
): void {
  checkPrefix(op, prefix, field)
  if (operand.type.form === 'string') {
    program.emit({ name: 'cmp', sreg: 0, op: CMP[op as '=='], data: prefix.bytes.slice(0, prefix.length / 8) })
    return
  }
  if (prefix.length < operand.type.bits) applyMask(operand, bits.prefixMask(operand.type.bits, prefix.length))
  settle(program, operand)
  program.emit({ name: 'cmp', sreg: 0, op: CMP[op as '=='], data: prefix.bytes })
}

function checkPrefix(op: Match['op'], { bytes, length }: { bytes: Uint8Array; length: number }, field: string): void {
  if (op !== '==' && op !== '!=') throw refusal(`${field}.op`, 'prefixes are matched with == and !=')
  if (!bits.isZero(bits.and(bytes, bits.not(bits.prefixMask(bytes.length * 8, length)))))
    throw refusal(`${field}.right`, 'has bits set behind its prefix')
}

function matchValue(program: Program, { left, op }: Match, right: Scalar | Scalar[], field: string): void {
  compareValue(program, load(program, left, 0, `${field}.left`), op, right, field)
}

function compareValue(program: Program, operand: Operand, op: Match['op'], right: Scalar | Scalar[], field: string): void {
  const value = encodeValue(operand.type, right, `${field}.right`)
  const { type } = operand
  settle(program, operand)
  if (op === '==' || op === '!=') {
    program.emit({ name: 'cmp', sreg: 0, op: CMP[op], data: placedConstant(operand, value) })
    return
  }
  if (type.form === 'string' || type.form === 'boolean') throw refusal(`${field}.op`, `${type.name} has no order`)
  toNetworkOrder(program, operand)
  program.emit({ name: 'cmp', sreg: 0, op: CMP[op as '<'], data: placedConstant(operand, inNetworkOrder(type, value)) })
}
