import { attributeMap, attributes, text, u16be, u32be, u64be, u8 } from '../netlink/reader.js'
import { rows } from './instruction-writer.js'
import {
  INSTRUCTIONS,
  PADDING,
  VERDICT,
  type AttributeKind,
  type InstructionName,
  type KernelExpression,
  type KernelVerdict,
} from './kernel-expressions.js'

const NFTA_EXPR_NAME = 1
const NFTA_EXPR_DATA = 2
const NFTA_DATA_VALUE = 1
const NFTA_DATA_VERDICT = 2
const NFTA_VERDICT_CODE = 1
const NFTA_VERDICT_CHAIN = 2
/** Statements of a dynamic set are one level deep; more is nonsense from a broken reply. */
const DEEPEST = 2

/** The children of a list attribute. What the table of instructions does not describe in full stays as bytes. */
export function readInstructions(list: Uint8Array, depth = 0): KernelExpression[] {
  const found: KernelExpression[] = []
  for (const { value } of attributes(list)) found.push(readInstruction(value, depth))
  return found
}

export function readInstruction(bytes: Uint8Array, depth = 0): KernelExpression {
  const parts = attributeMap(bytes)
  const kernelName = text(parts.get(NFTA_EXPR_NAME) ?? new Uint8Array())
  const data = parts.get(NFTA_EXPR_DATA) ?? new Uint8Array()
  const known = Object.hasOwn(INSTRUCTIONS, kernelName) ? readKnown(kernelName as InstructionName, data, depth) : undefined
  return known ?? { name: 'unknown', kernelName, data: data.slice() }
}

function readKnown(name: InstructionName, data: Uint8Array, depth: number): KernelExpression | undefined {
  const fields = new Map(rows(name).map(([field, [attribute, kind]]) => [attribute, { field, kind }]))
  const instruction: Record<string, unknown> = { name }
  for (const { type, value } of attributes(data)) {
    if (type === PADDING[name]) continue
    const row = fields.get(type)
    const read = row === undefined ? undefined : readAttribute(row.kind, value, depth)
    if (row === undefined || read === undefined) return undefined
    instruction[row.field] = read
  }
  return instruction as unknown as KernelExpression
}

function readAttribute(kind: AttributeKind, value: Uint8Array, depth: number): unknown {
  switch (kind) {
    case 'u8':
      return u8(value)
    case 'u16':
      return u16be(value)
    case 'u32':
      return u32be(value)
    case 'u64':
      return u64be(value)
    case 'string':
      return text(value)
    case 'register':
      return readRegister(u32be(value))
    case 'value': {
      const data = readData(value)
      return data instanceof Uint8Array ? data : undefined
    }
    case 'data':
      return readData(value)
    case 'instruction':
      return depth < DEEPEST ? readInstruction(value, depth + 1) : undefined
    case 'list':
      return depth < DEEPEST ? readInstructions(value, depth + 1) : undefined
  }
}

/** NFTA_DATA_VALUE or NFTA_DATA_VERDICT. */
export function readData(bytes: Uint8Array): Uint8Array | KernelVerdict | undefined {
  const parts = attributeMap(bytes)
  const value = parts.get(NFTA_DATA_VALUE)
  if (value !== undefined) return value.slice()
  const verdict = parts.get(NFTA_DATA_VERDICT)
  if (verdict === undefined) return undefined
  const verdictParts = attributeMap(verdict)
  const code = verdictParts.get(NFTA_VERDICT_CODE)
  const chain = verdictParts.get(NFTA_VERDICT_CHAIN)
  return code === undefined ? undefined : { code: u32be(code) | 0, ...(chain && { chain: text(chain) }) }
}

function readRegister(number: number): number | undefined {
  if (number === 0) return VERDICT
  if (number <= 4) return (number - 1) * 4
  return number >= 8 && number < 24 ? number - 8 : undefined
}
