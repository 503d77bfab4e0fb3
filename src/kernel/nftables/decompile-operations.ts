/** Instructions that change what is in a register. */
import type { Expression } from '../../contracts/firewall-rules.js'
import * as bits from './bytes.js'
import { modulus, withOperators } from './decompile-expression.js'
import type { Instruction } from './kernel-expressions.js'
import { partOf } from './key-layout.js'
import { HASH_RESULT } from './program.js'
import type { Reading } from './reading.js'
import type { Content } from './register-file.js'
import { needsSwap } from './values.js'

/** enum nft_bitwise_ops */
const RIGHT = 2

export function decodeHash(reading: Reading, at: number, hash: Instruction<'hash'>): boolean {
  if (hash.mode !== 0 || hash.dreg === undefined || hash.dreg < 0 || hash.sreg === undefined) return false
  const contents = reading.registers.key(hash.sreg, hash.length)
  const key = contents && reading.key(contents, undefined)
  if (contents === undefined || key === undefined) return false
  for (const content of contents) content.fresh = false
  const seed = hash.seed === undefined ? {} : { seed: hash.seed }
  const expression = { jhash: { key: key.expression, ...modulus(hash), ...seed } }
  const from = [...contents.flatMap((content) => content.from), at]
  reading.registers.set(hash.dreg, { length: 4, from, fresh: true, value: { is: 'expression', expression, part: partOf(HASH_RESULT) } })
  return true
}

export function decodeBitwise(
  reading: Reading,
  at: number,
  { sreg, dreg, length, op = 0, mask, xor, data }: Instruction<'bitwise'>,
): boolean {
  const content = reading.registers.get(sreg)
  if (content === undefined || dreg === undefined || dreg < 0 || length !== content.length) return false
  const { value } = content
  if (value.is !== 'payload' && (value.is !== 'expression' || value.swapped === true || value.part.type.form === 'string')) return false
  if (op !== 0) return decodeShift(reading, at, content, dreg, op, data)
  const from = [...content.from, at]
  if (mask?.length !== length || xor?.length !== length) return false
  const newMask = value.mask === undefined ? mask : bits.and(value.mask, mask)
  const flipped = value.flip === undefined ? xor : bits.xor(bits.and(value.flip, mask), xor)
  const { flip: _flip, ...rest } = value
  reading.registers.set(dreg, {
    length,
    from,
    fresh: true,
    value: { ...rest, mask: newMask, ...(!bits.isZero(flipped) && { flip: flipped }) },
  })
  return true
}

function decodeShift(reading: Reading, at: number, content: Content, dreg: number, op: number, data: Uint8Array | undefined): boolean {
  const found = reading.expression(content)
  if (found === undefined || data?.length !== 4) return false
  const count = Number(bits.bytesToNumber(data, 'host'))
  const { part } = found
  const put = (expression: Expression, shift: number): true => {
    const value = { is: 'expression' as const, expression, part: { ...part, shift } }
    reading.registers.set(dreg, { length: content.length, from: [...content.from, at], fresh: true, value })
    return true
  }
  // A field that was moved to the end of its byte is the field itself.
  if (op === RIGHT && part.shift !== 0 && part.shift === count && part.length === 1) return put(found.expression, 0)
  if (part.shift !== 0 || (part.length > 1 && part.type.order === 'big') || count > 31) return false
  const operand = withOperators(found)
  return put(op === RIGHT ? { '>>': [operand, count] } : { '<<': [operand, count] }, 0)
}

export function decodeByteorder(reading: Reading, at: number, { sreg, dreg, op, length }: Instruction<'byteorder'>): boolean {
  const content = reading.registers.get(sreg)
  const found = content && reading.expression(content)
  if (content === undefined || found === undefined || op !== 1 || dreg === undefined || dreg < 0 || length !== content.length) return false
  if (found.swapped || !needsSwap(found.part.type)) return false
  const value = { is: 'expression' as const, expression: found.expression, part: found.part, swapped: true }
  const operators = { ...(found.mask && { mask: found.mask }), ...(found.flip && { flip: found.flip }) }
  reading.registers.set(dreg, { length, from: [...content.from, at], fresh: true, value: { ...value, ...operators } })
  return true
}
