/** Options that are one attribute each: written, read and compared from a table. */
import type { MessageWriter } from '../netlink/writer.js'
import { u16, u16be, u32, u8 } from '../netlink/reader.js'
import { boolean, integer, refuseUnknown } from './input.js'

type Width = 'u8' | 'u16' | 'u32' | 'u16be'
const MAXIMUM: Readonly<Record<Width, number>> = { u8: 0xff, u16: 0xffff, u32: 0xffffffff, u16be: 0xffff }

export interface OptionField<K extends string = string> {
  key: K
  attribute: number
  width: Width
  /** What the kernel starts with, in the type of the option; absent: it depends. Left out of the normal form. */
  initial?: number | boolean
  boolean?: true
  /** The kernel reports it and cannot change it. */
  fixed?: true
}

type Options = Readonly<Record<string, unknown>>

/** Writes what is set. @throws CnmError ERR_CNM_UNKNOWN_OPTION, ERR_CNM_INVALID_ARGUMENT */
export function writeOptions(writer: MessageWriter, fields: readonly OptionField[], options: object): void {
  for (const field of fields) {
    const value = (options as Options)[field.key]
    if (value !== undefined) writeOption(writer, field, value)
  }
}

/** Writes what differs; what is no longer set returns to what the kernel starts with, where that is known. */
export function writeChangedOptions(writer: MessageWriter, fields: readonly OptionField[], from: object, to: object): void {
  for (const field of fields) {
    const value = changedValue(field, from as Options, to as Options)
    if (value !== undefined) writeOption(writer, field, value)
  }
}

export const optionsDiffer = (fields: readonly OptionField[], from: object, to: object): boolean =>
  fields.some((field) => changedValue(field, from as Options, to as Options) !== undefined)

/** Options that are not at their initial value, or `undefined` when there are none. */
export function readOptions<T extends object>(
  fields: readonly OptionField[],
  attributes: readonly (Uint8Array | undefined)[],
): T | undefined {
  let options: Record<string, number | boolean> | undefined
  for (const field of fields) {
    const bytes = attributes[field.attribute]
    if (bytes === undefined) continue
    const number = readNumber(field.width, bytes)
    const value = field.boolean === true ? number !== 0 : number
    if (value !== field.initial) (options ??= {})[field.key] = value
  }
  return options as T | undefined
}

export const optionNames = (fields: readonly OptionField[], ...others: string[]): ReadonlySet<string> =>
  new Set([...fields.map((field) => field.key), ...others])

export { refuseUnknown }

function changedValue(field: OptionField, from: Options, to: Options): unknown {
  const [before, after] = [from[field.key] ?? field.initial, to[field.key] ?? field.initial]
  return before === after ? undefined : after
}

function writeOption(writer: MessageWriter, { key, attribute, width, boolean: isBoolean }: OptionField, value: unknown): void {
  const number = isBoolean === true ? Number(boolean(value as boolean, key)) : integer(value as number, key, MAXIMUM[width])
  if (width === 'u8') writer.attrU8(attribute, number)
  else if (width === 'u16') writer.attrU16(attribute, number)
  else if (width === 'u32') writer.attrU32(attribute, number)
  else writer.attrU16be(attribute, number)
}

function readNumber(width: Width, bytes: Uint8Array): number {
  if (width === 'u8') return u8(bytes)
  if (width === 'u16') return u16(bytes)
  return width === 'u32' ? u32(bytes) : u16be(bytes)
}
