/** Instructions that write: mangle, and elements of dynamic sets. */
import type { Expression, SetUpdate, StatefulStatement, Statement } from '../../contracts/firewall-rules.js'
import * as bits from './bytes.js'
import { compileMangle } from './compile-mangle.js'
import { DYNSET_OPS } from './compile-statement.js'
import { baseName, decodeTcpOption, fieldWithin } from './decompile-expression.js'
import { byteLength, type DataType } from './data-types.js'
import type { Instruction } from './kernel-expressions.js'
import { partOf } from './key-layout.js'
import * as keys from './packet-keys.js'
import { fieldAt, payloadField } from './payload-fields.js'
import { Program } from './program.js'
import type { Reading } from './reading.js'
import type { Content } from './register-file.js'
import { decodeStateful } from './stateful-statements.js'
import { decodeValue } from './values.js'

type Value = Extract<Statement, { mangle: unknown }>['mangle']['value']

export function decodeMetaSet(reading: Reading, at: number, { key, sreg }: Instruction<'meta'>): boolean {
  const meta = keys.keyName(keys.META, key ?? -1)
  return meta !== undefined && decodeStore(reading, at, { meta }, sreg, keys.META[meta].type)
}

export function decodeCtSet(reading: Reading, at: number, { key, sreg, direction }: Instruction<'ct'>): boolean {
  const ct = keys.keyName(keys.CT, key ?? -1)
  if (ct === undefined) return false
  const way = direction === undefined ? {} : { direction: direction === 1 ? ('reply' as const) : ('original' as const) }
  return decodeStore(reading, at, { ct, ...way }, sreg, keys.CT[ct].type)
}

export function decodeOptionSet(reading: Reading, at: number, instruction: Instruction<'exthdr'>): boolean {
  const option = decodeTcpOption(instruction)
  return (
    option !== undefined && 'tcpOption' in option.expression && decodeStore(reading, at, option.expression, instruction.sreg, option.type)
  )
}

function decodeStore(reading: Reading, at: number, key: Expression, register: number | undefined, type: DataType): boolean {
  const content = reading.registers.get(register)
  const value = content && storedValue(reading, content, type)
  return content !== undefined && value !== undefined && reading.say({ mangle: { key, value } }, at, [content])
}

function storedValue(reading: Reading, content: Content, type: DataType): Value | undefined {
  const { value } = content
  if (value.is === 'lookup') return reading.lookup(value, [partOf(type)])
  if (content.length !== byteLength(type)) return undefined
  return value.is === 'constant' ? decodeValue(type, value.bytes) : reading.value(content, type.order)
}

export function decodePayloadWrite(reading: Reading, at: number, instruction: Instruction<'payload'>): boolean {
  const { sreg, base: number = -1, offset = 0, length = 0 } = instruction
  const content = reading.registers.get(sreg)
  const base = baseName(number)
  if (content === undefined || base === undefined) return false
  const protocols = reading.protocols.known()
  const whole = fieldAt(protocols, base, offset * 8, length * 8)
  const field = whole === undefined ? undefined : payloadField(whole)
  let statement: Statement | undefined
  if (whole !== undefined && field !== undefined) {
    const value = storedValue(reading, content, field.type)
    if (value !== undefined) statement = { mangle: { key: { payload: whole }, value } }
  } else statement = replacedBits(reading, content, instruction)
  return statement !== undefined && isOurs(reading, statement, instruction) && reading.say(statement, at, [content])
}

/** The span was loaded, the bits of a field in it replaced, and is written back. */
function replacedBits(reading: Reading, { value, length }: Content, write: Instruction<'payload'>): Statement | undefined {
  if (value.is !== 'payload' || value.mask === undefined || value.flip === undefined) return undefined
  if (value.base !== write.base || value.offset !== write.offset || length !== write.length) return undefined
  const base = baseName(value.base)
  const found = base && fieldWithin(reading.protocols.known(), base, value.offset, length, bits.not(value.mask))
  if (found === undefined) return undefined
  const { type, shift } = found.part
  const constant = bits.shiftedRight(value.flip, shift).slice(length - byteLength(type))
  return { mangle: { key: found.expression, value: decodeValue(type, constant) } }
}

/** Whether writing the statement down would give the same instruction, checksums included. */
function isOurs(
  reading: Reading,
  statement: Statement,
  { checksumType = 0, checksumOffset = 0, checksumFlags = 0 }: Instruction<'payload'>,
): boolean {
  if (!('mangle' in statement)) return false
  const program = new Program(reading.family)
  compileMangle(program, statement.mangle, 'mangle')
  const last = program.instructions.at(-1)
  return (
    last?.name === 'payload' &&
    last.checksumType === checksumType &&
    last.checksumOffset === checksumOffset &&
    last.checksumFlags === checksumFlags
  )
}

export function decodeSetUpdate(reading: Reading, at: number, instruction: Instruction<'dynset'>): boolean {
  const { set, op: number, keyRegister, dataRegister, timeout = 0n, expression, expressions = [] } = instruction
  const op = (Object.keys(DYNSET_OPS) as SetUpdate['op'][]).find((name) => DYNSET_OPS[name] === number)
  const contents = keyRegister === undefined ? undefined : reading.registers.key(keyRegister, undefined, dataRegister)
  const key = contents && reading.key(contents, undefined)
  if (set === undefined || op === undefined || contents === undefined || key === undefined || timeout > BigInt(Number.MAX_SAFE_INTEGER))
    return false
  const update: SetUpdate = { op, set, key: key.expression }
  const uses = [...contents]
  if (dataRegister !== undefined) {
    const content = reading.registers.get(dataRegister)
    const found = content && reading.key([content], undefined)
    if (content === undefined || found === undefined) return false
    update.data = found.expression
    uses.push(content)
  }
  if (timeout !== 0n) update.timeout = Number(timeout)
  const statements = (expression === undefined ? expressions : [expression]).map(decodeStateful)
  if (!statements.every((statement): statement is StatefulStatement => statement !== undefined)) return false
  if (statements.length > 0) update.statements = statements
  return reading.say({ set: update }, at, uses)
}
