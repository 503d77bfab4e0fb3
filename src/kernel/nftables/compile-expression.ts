import type { Expression } from '../../contracts/firewall-rules.js'
import type { NumberGenerator, RawPayload, Scalar } from '../../contracts/firewall-types.js'
import * as bits from './bytes.js'
import { loaded, loadConntrack, loadFib, loadKey, loadSocket, loadTcpOption, loadXfrm } from './compile-packet-keys.js'
import { integer, type DataType } from './data-types.js'
import { BASES, payloadField, type Base } from './payload-fields.js'
import * as keys from './packet-keys.js'
import {
  align,
  applyFlip,
  applyMask,
  applyOr,
  checkRegisters,
  HASH_RESULT,
  placedConstant,
  registerCount,
  settle,
  shift,
  toNetworkOrder,
  type Operand,
  type Program,
} from './program.js'
import type { Part } from './key-layout.js'
import { onlyKeys, refusal, wholeNumber } from './refusal.js'
import { encodeValue } from './values.js'

const MOST_BITS = 128

/** Puts the value of an expression into a register. Concatenations and maps have their own functions. */
export function load(program: Program, expression: Expression, register: number, field: string): Operand {
  if (typeof expression !== 'object' || expression === null) throw refusal(field, 'an expression is needed')
  const operand = loadUnchecked(program, expression, register, field)
  checkRegisters(register, operand.length, field)
  return operand
}

function loadUnchecked(program: Program, expression: Expression, register: number, field: string): Operand {
  if ('payload' in expression) return loadPayload(program, expression.payload, register, field)
  if ('meta' in expression) return loadKey(program, 'meta', keys.META, expression.meta, register, `${field}.meta`)
  if ('ct' in expression) return loadConntrack(program, expression, register, field)
  if ('rt' in expression) return loadKey(program, 'rt', keys.RT, expression.rt, register, `${field}.rt`)
  if ('fib' in expression) return loadFib(program, expression.fib, register, `${field}.fib`)
  if ('tcpOption' in expression || 'tcpOptionExists' in expression) return loadTcpOption(program, expression, register, field)
  if ('numgen' in expression) return loadNumgen(program, expression.numgen, register, `${field}.numgen`)
  if ('jhash' in expression) return loadHash(program, expression.jhash, register, `${field}.jhash`)
  if ('symhash' in expression) return loadSymhash(program, expression.symhash, register, `${field}.symhash`)
  if ('socket' in expression) return loadSocket(program, expression, register, field)
  if ('ipsec' in expression) return loadXfrm(program, expression, register, field)
  return loadOperation(program, expression, register, field)
}

function loadPayload(program: Program, payload: string | RawPayload, register: number, field: string): Operand {
  if (typeof payload === 'string') {
    const known = payloadField(payload)
    if (known === undefined) throw refusal(`${field}.payload`, `there is no header field ${JSON.stringify(payload)}`)
    return loadBits(program, known.base, known.offset, known.type, register)
  }
  onlyKeys(payload, ['base', 'offset', 'length'], `${field}.payload`)
  const { base, offset, length } = payload
  if (!Object.hasOwn(BASES, base)) throw refusal(`${field}.payload.base`, 'must be ll, nh, th or ih')
  if (!Number.isInteger(offset) || offset < 0 || offset > 0xffff) throw refusal(`${field}.payload.offset`, 'a number of bits is needed')
  if (!Number.isInteger(length) || length < 1 || length > MOST_BITS) throw refusal(`${field}.payload.length`, `1 to ${MOST_BITS} bits`)
  return loadBits(program, base, offset, integer(length), register)
}

/** Whole bytes are loaded; what is not asked for is masked out. */
function loadBits(program: Program, base: Base, offset: number, type: DataType, register: number): Operand {
  const first = offset >> 3
  const end = (offset + type.bits + 7) >> 3
  const length = end - first
  program.emit({ name: 'payload', dreg: register, base: BASES[base], offset: first, length })
  const operand: Operand = { register, type, length, shift: end * 8 - offset - type.bits }
  if (type.bits !== length * 8)
    operand.mask = bits.shiftedLeft(bits.numberToBytes((1n << BigInt(type.bits)) - 1n, length, 'big')!, operand.shift)
  return operand
}

function loadNumgen(program: Program, numgen: NumberGenerator, register: number, field: string): Operand {
  onlyKeys(numgen, ['mode', 'mod', 'offset'], field)
  if (numgen.mode !== 'inc' && numgen.mode !== 'random') throw refusal(`${field}.mode`, 'must be inc or random')
  program.emit({ name: 'numgen', dreg: register, mode: numgen.mode === 'random' ? 1 : 0, ...modulus(numgen, field) })
  return loaded(register, HASH_RESULT)
}

function loadHash(program: Program, hash: Extract<Expression, { jhash: unknown }>['jhash'], register: number, field: string): Operand {
  onlyKeys(hash, ['key', 'mod', 'seed', 'offset'], field)
  const { length } = loadParts(program, hash.key, register, `${field}.key`)
  const seed = hash.seed === undefined ? {} : { seed: wholeNumber(hash.seed, 0xffffffff, `${field}.seed`) }
  program.emit({ name: 'hash', sreg: register, dreg: register, length, mode: 0, ...modulus(hash, field), ...seed })
  return loaded(register, HASH_RESULT)
}

function loadSymhash(program: Program, hash: { mod: number; offset?: number }, register: number, field: string): Operand {
  onlyKeys(hash, ['mod', 'offset'], field)
  program.emit({ name: 'hash', dreg: register, mode: 1, ...modulus(hash, field) })
  return loaded(register, HASH_RESULT)
}

function modulus({ mod, offset = 0 }: { mod: number; offset?: number }, field: string): { modulus: number; offset: number } {
  if (wholeNumber(mod, 0xffffffff, `${field}.mod`) === 0) throw refusal(`${field}.mod`, 'must be at least 1')
  if (wholeNumber(offset, 0xffffffff, `${field}.offset`) + mod - 1 > 0xffffffff)
    throw refusal(`${field}.offset`, 'the results do not fit in 32 bits')
  return { modulus: mod, offset }
}

type Operation = Extract<
  Expression,
  | { '&': unknown }
  | { '|': unknown }
  | { '^': unknown }
  | { '<<': unknown }
  | { '>>': unknown }
  | { hton: unknown }
  | { concat: unknown }
  | { map: unknown }
>

function loadOperation(program: Program, expression: Operation, register: number, field: string): Operand {
  if ('hton' in expression) {
    const operand = load(program, expression.hton, register, `${field}.hton`)
    settle(program, operand)
    toNetworkOrder(program, operand)
    return operand
  }
  if ('concat' in expression) throw refusal(field, 'a concatenation can only be looked up, hashed, or be the key of an element')
  if ('map' in expression) throw refusal(field, 'a map gives values to nat, mangle and tproxy only')
  for (const operator of ['&', '|', '^', '<<', '>>'] as const) {
    const pair = (expression as Partial<Record<string, [Expression, Scalar | Scalar[]]>>)[operator]
    if (pair === undefined) continue
    if (!Array.isArray(pair) || pair.length !== 2) throw refusal(`${field}.${operator}`, 'an expression and a constant are needed')
    const operand = load(program, pair[0], register, `${field}.${operator}[0]`)
    operate(program, operand, operator, pair[1], `${field}.${operator}[1]`)
    return operand
  }
  throw refusal(field, `${JSON.stringify(Object.keys(expression))} is not an expression`)
}

function operate(
  program: Program,
  operand: Operand,
  operator: '&' | '|' | '^' | '<<' | '>>',
  value: Scalar | Scalar[],
  field: string,
): void {
  if (operator === '<<' || operator === '>>') {
    if (operand.length > 1 && operand.type.order === 'big')
      throw refusal(field, 'only numbers in host order and single bytes can be shifted')
    align(program, operand, field)
    program.emit(shift(operand, operator === '<<' ? 1 : 2, wholeNumber(value, 31, field)))
    return
  }
  const constant = placedConstant(operand, encodeValue(operand.type, value, field))
  if (operator === '&') applyMask(operand, constant)
  else if (operator === '|') applyOr(operand, constant)
  else applyFlip(operand, constant)
}

/**
 * Loads an expression or all parts of a concatenation into successive registers.
 * @param inPlace Parts that do not end at the end of a byte stay where they are.
 * @param networkOrder Numbers in host order are turned round.
 */
export function loadParts(
  program: Program,
  expression: Expression,
  register: number,
  field: string,
  options: { inPlace?: boolean; networkOrder?: boolean } = {},
): { parts: Part[]; length: number } {
  const several = typeof expression === 'object' && expression !== null && 'concat' in expression
  const list = several ? expression.concat : [expression]
  if (!Array.isArray(list) || list.length === 0) throw refusal(`${field}.concat`, 'a list of expressions is needed')
  let at = register
  const parts = list.map((part, i): Part => {
    const path = several ? `${field}.concat[${i}]` : field
    const operand = load(program, part, at, path)
    if (options.inPlace === true) settle(program, operand)
    else align(program, operand, path)
    if (options.networkOrder === true) toNetworkOrder(program, operand)
    at += registerCount(operand.length)
    return { type: operand.type, length: operand.length, shift: operand.shift }
  })
  return { parts, length: list.length === 1 ? parts[0]!.length : (at - register) * 4 }
}
