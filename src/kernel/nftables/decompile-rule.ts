import type { FirewallFamily } from '../../contracts/firewall.js'
import type { RawExpression, Statement } from '../../contracts/firewall-rules.js'
import { attributeMap } from '../netlink/reader.js'
import { MessageWriter } from '../netlink/writer.js'
import { decodeLoad } from './decompile-expression.js'
import { decodeCmp, decodeLookup, decodeRange } from './decompile-match.js'
import { decodeMasquerade, decodeNat, decodeRedirect, decodeTproxy } from './decompile-nat.js'
import { decodeBitwise, decodeByteorder, decodeHash } from './decompile-operations.js'
import { decodeCtSet, decodeMetaSet, decodeOptionSet, decodePayloadWrite, decodeSetUpdate } from './decompile-store.js'
import { byteLength } from './data-types.js'
import { withoutImplied } from './implied-matches.js'
import { writeInstruction } from './instruction-writer.js'
import { VERDICT, type Instruction, type KernelExpression } from './kernel-expressions.js'
import { partOf } from './key-layout.js'
import { decodeLog, decodeReject } from './log-and-reject.js'
import { Reading, type FindRuleSet } from './reading.js'
import { decodeStateful } from './stateful-statements.js'
import { decodeVerdict } from './verdicts.js'

const NFTA_EXPR_DATA = 2

/**
 * The statements of a rule in normal form: matches that fields imply are left out, constants are written in one way.
 * Instructions that make no statement of the vocabulary become `raw`.
 */
export function decompileRule(instructions: readonly KernelExpression[], family: FirewallFamily, findSet: FindRuleSet): Statement[] {
  const reading = new Reading(family, instructions, findSet)
  for (let at = 0; at < instructions.length; at++) {
    const before = reading.statements.length
    const instruction = instructions[at]!
    if (!step(reading, at, instruction)) {
      reading.sayRaw(at, rawText)
      reading.registers.clear()
    } else if (instruction.name === 'cmp' && isRange(reading.statements[before])) at++
  }
  reading.sayRaw(instructions.length - 1, rawText)
  return withoutImplied(reading.statements, family)
}

/** Two comparisons with a register are one range. */
const isRange = (statement: Statement | undefined): boolean =>
  statement !== undefined && 'match' in statement && typeof statement.match.right === 'object' && 'range' in statement.match.right

/** @returns false when nothing is known to be made of the instruction */
function step(reading: Reading, at: number, instruction: KernelExpression): boolean {
  const say = (statement: Statement | undefined): boolean => statement !== undefined && reading.say(statement, at, [])
  switch (instruction.name) {
    case 'unknown':
      return false
    case 'immediate':
      return stepImmediate(reading, at, instruction)
    case 'payload':
      return instruction.sreg !== undefined ? decodePayloadWrite(reading, at, instruction) : loadPayload(reading, at, instruction)
    case 'meta':
      return instruction.sreg !== undefined ? decodeMetaSet(reading, at, instruction) : loadOther(reading, at, instruction)
    case 'ct':
      return instruction.sreg !== undefined ? decodeCtSet(reading, at, instruction) : loadOther(reading, at, instruction)
    case 'exthdr':
      return instruction.sreg !== undefined ? decodeOptionSet(reading, at, instruction) : loadOther(reading, at, instruction)
    case 'hash':
      return instruction.sreg !== undefined ? decodeHash(reading, at, instruction) : loadOther(reading, at, instruction)
    case 'rt':
    case 'fib':
    case 'numgen':
    case 'socket':
    case 'xfrm':
      return loadOther(reading, at, instruction)
    case 'bitwise':
      return decodeBitwise(reading, at, instruction)
    case 'byteorder':
      return decodeByteorder(reading, at, instruction)
    case 'cmp':
      return decodeCmp(reading, at, instruction)
    case 'range':
      return decodeRange(reading, at, instruction)
    case 'lookup':
      return decodeLookup(reading, at, instruction)
    case 'dynset':
      return decodeSetUpdate(reading, at, instruction)
    case 'nat':
      return decodeNat(reading, at, instruction)
    case 'masq':
      return decodeMasquerade(reading, at, instruction)
    case 'redir':
      return decodeRedirect(reading, at, instruction)
    case 'tproxy':
      return decodeTproxy(reading, at, instruction)
    case 'log': {
      const log = decodeLog(instruction)
      return say(log && { log })
    }
    case 'reject': {
      const network = reading.protocols.known().find((name): name is 'ip' | 'ip6' => name === 'ip' || name === 'ip6')
      const reject = decodeReject(instruction, network)
      return say(reject && { reject })
    }
    case 'notrack':
      return say({ notrack: true })
    default:
      return say(decodeStateful(instruction))
  }
}

function stepImmediate(reading: Reading, at: number, { dreg, data }: Instruction<'immediate'>): boolean {
  if (dreg === undefined || data === undefined) return false
  if (data instanceof Uint8Array) {
    if (dreg === VERDICT) return false
    reading.registers.set(dreg, { length: data.length, from: [at], fresh: true, value: { is: 'constant', bytes: data } })
    return true
  }
  const verdict = decodeVerdict(data)
  return verdict !== undefined && reading.say(verdict, at, [])
}

function loadPayload(reading: Reading, at: number, { dreg, base, offset, length = 0 }: Instruction<'payload'>): boolean {
  if (dreg === undefined || dreg < 0 || base === undefined || offset === undefined || length < 1 || length > 16) return false
  reading.registers.set(dreg, { length, from: [at], fresh: true, value: { is: 'payload', base, offset } })
  return true
}

function loadOther(reading: Reading, at: number, instruction: Extract<Instruction, { dreg?: number }>): boolean {
  const loaded = decodeLoad(instruction, reading.family)
  if (loaded === undefined || instruction.dreg === undefined || instruction.dreg < 0) return false
  const { expression, type } = loaded
  reading.registers.set(instruction.dreg, {
    length: byteLength(type),
    from: [at],
    fresh: true,
    value: { is: 'expression', expression, part: partOf(type) },
  })
  return true
}

/** An instruction as it is written to the kernel. */
function rawText(instruction: KernelExpression): RawExpression {
  if (instruction.name === 'unknown') return { name: instruction.kernelName, data: Buffer.from(instruction.data).toString('hex') }
  const writer = new MessageWriter(0)
  writer.begin(0, 0)
  const start = writer.length
  writeInstruction(writer, instruction)
  writer.end()
  const bytes = writer.bytes().subarray(start)
  return { name: instruction.name, data: Buffer.from(attributeMap(bytes).get(NFTA_EXPR_DATA) ?? []).toString('hex') }
}
