import type { FirewallFamily } from '../../contracts/firewall.js'
import * as bits from './bytes.js'
import { integer, type DataType } from './data-types.js'
import type { ElementKey } from './element-keys.js'
import type { KernelExpression, KernelVerdict } from './kernel-expressions.js'
import type { Part } from './key-layout.js'
import { refusal } from './refusal.js'
import { needsSwap } from './values.js'

/** A set that belongs to one rule; the kernel gives it a name and deletes it with the rule. */
export interface AnonymousSet {
  /** How instructions of the rule refer to it (plus a base that makes it unique in a batch). */
  id: number
  key: Part[]
  data?: Part[] | 'verdict'
  interval: boolean
  elements: (ElementKey & { data?: Uint8Array | KernelVerdict })[]
}

/** The instructions of a rule while they are written down. */
export class Program {
  readonly instructions: KernelExpression[] = []
  readonly sets: AnonymousSet[] = []

  constructor(readonly family: FirewallFamily) {}

  emit(instruction: KernelExpression): void {
    this.instructions.push(instruction)
  }

  /** @returns its id */
  addSet(set: Omit<AnonymousSet, 'id'>): number {
    const id = this.sets.length + 1
    this.sets.push({ id, ...set })
    return id
  }
}

const REGISTERS = 16

/** Registers have 4 bytes; how many a value takes. */
export const registerCount = (length: number): number => (length + 3) >> 2

export function checkRegisters(register: number, length: number, field: string): void {
  if (register + registerCount(length) > REGISTERS)
    throw refusal(field, 'the values are longer than the registers of the kernel (64 bytes)')
}

/**
 * A value in a register, with a mask and bits to flip that are still to be applied: `(register & mask) ^ flip`.
 * Successive bit operations become one instruction.
 */
export interface Operand {
  register: number
  type: DataType
  length: number
  /** The field stands this many bits to the left of the end of the register's bytes. */
  shift: number
  mask?: Uint8Array
  flip?: Uint8Array
}

export function applyMask(operand: Operand, mask: Uint8Array): void {
  operand.mask = operand.mask === undefined ? mask : bits.and(operand.mask, mask)
  if (operand.flip !== undefined) operand.flip = bits.and(operand.flip, mask)
}

export function applyFlip(operand: Operand, flip: Uint8Array): void {
  operand.flip = operand.flip === undefined ? flip : bits.xor(operand.flip, flip)
}

/** Sets these bits: clears, then flips them. */
export function applyOr(operand: Operand, value: Uint8Array): void {
  applyMask(operand, bits.not(value))
  applyFlip(operand, value)
}

/** Writes down the pending mask and flip. */
export function settle(program: Program, operand: Operand): void {
  const { register, length, mask, flip } = operand
  if (mask === undefined && flip === undefined) return
  const ones = bits.not(new Uint8Array(length))
  program.emit({ name: 'bitwise', sreg: register, dreg: register, length, op: 0, mask: mask ?? ones, xor: flip ?? new Uint8Array(length) })
  operand.mask = undefined
  operand.flip = undefined
}

/** Settled, and moved to the end of the register's bytes. */
export function align(program: Program, operand: Operand, field: string): void {
  settle(program, operand)
  if (operand.shift === 0) return
  if (operand.length > 1) throw refusal(field, 'a field that crosses a byte can only be compared, or looked up in a set of the rule itself')
  program.emit(shift(operand, 2, operand.shift))
  operand.shift = 0
}

/** @param op enum nft_bitwise_ops: 1 left, 2 right */
export function shift({ register, length }: Operand, op: 1 | 2, count: number): KernelExpression {
  const data = bits.numberToBytes(BigInt(count), 4, 'host')!
  return { name: 'bitwise', sreg: register, dreg: register, length, op, data }
}

/** Turns a number in host order round, so that it can be compared by size. */
export function toNetworkOrder(program: Program, operand: Operand): void {
  if (!needsSwap(operand.type)) return
  const { register, length } = operand
  program.emit({ name: 'byteorder', sreg: register, dreg: register, op: 1, length, size: length === 8 ? 8 : length === 2 ? 2 : 4 })
  operand.type = { ...operand.type, order: 'big' }
}

/** Bytes of a constant as they stand in the register of the operand. */
export function placedConstant(operand: Operand, bytes: Uint8Array): Uint8Array {
  if (bytes.length === operand.length && operand.shift === 0) return bytes
  const wide = new Uint8Array(operand.length)
  wide.set(bytes, operand.length - bytes.length)
  return bits.shiftedLeft(wide, operand.shift)
}

export const HASH_RESULT = integer(32, 'host')
