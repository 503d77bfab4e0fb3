import type { MessageWriter } from '../netlink/writer.js'
import { NLA_F_NESTED } from '../netlink/writer.js'
import {
  INSTRUCTIONS,
  VERDICT,
  type AttributeKind,
  type InstructionName,
  type KernelExpression,
  type KernelVerdict,
} from './kernel-expressions.js'

const NFTA_LIST_ELEM = 1
const NFTA_EXPR_NAME = 1
const NFTA_EXPR_DATA = 2
const NFTA_DATA_VALUE = 1
const NFTA_DATA_VERDICT = 2
const NFTA_VERDICT_CODE = 1
const NFTA_VERDICT_CHAIN = 2
const LOOKUP_SET_ID = 4

/** Instructions as the children of a list attribute. @param setIdBase added to the numbers of sets that belong to the rule */
export function writeInstructions(writer: MessageWriter, list: readonly KernelExpression[], setIdBase = 0): void {
  for (const instruction of list) writer.nest(NFTA_LIST_ELEM, () => writeInstruction(writer, instruction, setIdBase))
}

/** Name and attributes of one instruction. */
export function writeInstruction(writer: MessageWriter, instruction: KernelExpression, setIdBase = 0): void {
  if (instruction.name === 'unknown') {
    writer.attrString(NFTA_EXPR_NAME, instruction.kernelName).attrBytes(NFTA_EXPR_DATA | NLA_F_NESTED, instruction.data)
    return
  }
  writer.attrString(NFTA_EXPR_NAME, instruction.name)
  const values = instruction as unknown as Record<string, unknown>
  writer.nest(NFTA_EXPR_DATA, () => {
    for (const [field, [attribute, kind]] of rows(instruction.name)) {
      const value = values[field]
      if (value === undefined) continue
      if (instruction.name === 'lookup' && attribute === LOOKUP_SET_ID) writer.attrU32be(attribute, (value as number) + setIdBase)
      else writeAttribute(writer, attribute, kind, value)
    }
  })
}

type Row = readonly [attribute: number, kind: AttributeKind]

export const rows = (name: InstructionName): [string, Row][] => Object.entries<Row>(INSTRUCTIONS[name])

/** `value` is what {@link INSTRUCTIONS} says for the kind. */
function writeAttribute(writer: MessageWriter, attribute: number, kind: AttributeKind, value: unknown): void {
  switch (kind) {
    case 'u8':
      writer.attrU8(attribute, value as number)
      break
    case 'u16':
      writer.attrU16be(attribute, value as number)
      break
    case 'u32':
      writer.attrU32be(attribute, value as number)
      break
    case 'u64':
      writer.attrU64be(attribute, value as bigint)
      break
    case 'string':
      writer.attrString(attribute, value as string)
      break
    case 'register':
      writer.attrU32be(attribute, registerNumber(value as number))
      break
    case 'value':
    case 'data':
      writeData(writer, attribute, value as Uint8Array | KernelVerdict)
      break
    case 'instruction':
      writer.nest(attribute, () => writeInstruction(writer, value as KernelExpression))
      break
    case 'list':
      writer.nest(attribute, () => writeInstructions(writer, value as KernelExpression[]))
  }
}

/** NFTA_DATA_VALUE or NFTA_DATA_VERDICT within `attribute`. */
export function writeData(writer: MessageWriter, attribute: number, data: Uint8Array | KernelVerdict): void {
  const start = writer.nestBegin(attribute | NLA_F_NESTED)
  if (data instanceof Uint8Array) writer.attrBytes(NFTA_DATA_VALUE, data)
  else {
    const verdict = writer.nestBegin(NFTA_DATA_VERDICT | NLA_F_NESTED)
    writer.attrU32be(NFTA_VERDICT_CODE, data.code >>> 0)
    if (data.chain !== undefined) writer.attrString(NFTA_VERDICT_CHAIN, data.chain)
    writer.nestEnd(verdict)
  }
  writer.nestEnd(start)
}

/** enum nft_registers: 0 is the verdict, 1-4 have 16 bytes, 8-23 are the same memory in parts of 4 bytes. */
function registerNumber(register: number): number {
  if (register === VERDICT) return 0
  return register % 4 === 0 ? 1 + register / 4 : 8 + register
}
