import type { Expression, Statement } from '../../contracts/firewall-rules.js'
import type { Scalar } from '../../contracts/firewall-types.js'
import * as bits from './bytes.js'
import { load } from './compile-expression.js'
import { lookupValue } from './compile-lookup.js'
import { byteLength, type DataType } from './data-types.js'
import { partOf } from './key-layout.js'
import * as keys from './packet-keys.js'
import { BASES, payloadField, type Field } from './payload-fields.js'
import { align, toNetworkOrder, type Program } from './program.js'
import { onlyKeys, refusal } from './refusal.js'
import { encodeValue, needsSwap } from './values.js'

type Mangle = Extract<Statement, { mangle: unknown }>['mangle']
type Value = Mangle['value']

const TCP_OPTION_OP = 1
const CHECKSUM_INET = 1
const CHECKSUM_SCTP = 2
const PSEUDO_HEADER = 1

/** Where the checksum of a header is, bytes. */
const CHECKSUM_OFFSET: Readonly<Record<string, number>> = { ip: 10, tcp: 16, udp: 6, udplite: 6, icmp: 2, icmpv6: 2, igmp: 2, sctp: 8 }

const SETTABLE_META: readonly string[] = ['mark', 'priority', 'pkttype', 'nftrace', 'secmark']
const SETTABLE_CT: readonly string[] = ['mark', 'secmark', 'event', 'zone']

export function compileMangle(program: Program, mangle: Mangle, field: string): void {
  onlyKeys(mangle, ['key', 'value'], field)
  const { key, value } = mangle
  if (typeof key !== 'object' || key === null) throw refusal(`${field}.key`, 'an expression is needed')
  if ('meta' in key) {
    const { number, type } = settable(keys.own(keys.META, key.meta), SETTABLE_META, key.meta, `${field}.key`)
    storeValue(program, value, type, `${field}.value`)
    program.emit({ name: 'meta', key: number, sreg: 0 })
  } else if ('ct' in key) {
    const { number, type } = settable(keys.own(keys.CT, key.ct), SETTABLE_CT, key.ct, `${field}.key`)
    storeValue(program, value, type, `${field}.value`)
    const direction = key.direction === undefined ? {} : { direction: key.direction === 'reply' ? 1 : 0 }
    program.emit({ name: 'ct', key: number, sreg: 0, ...direction })
  } else if ('payload' in key) manglePayload(program, key.payload, value, field)
  else if ('tcpOption' in key) {
    const option = keys.own(keys.TCP_OPTIONS, key.tcpOption)
    if (option === undefined) throw refusal(`${field}.key.tcpOption`, `there is no option ${JSON.stringify(key.tcpOption)}`)
    storeValue(program, value, option.type, `${field}.value`)
    program.emit({ name: 'exthdr', sreg: 0, kind: option.kind, offset: option.offset, length: byteLength(option.type), op: TCP_OPTION_OP })
  } else throw refusal(`${field}.key`, 'only meta, ct, payload and tcpOption can be set')
}

function settable(key: keys.Key | undefined, names: readonly string[], name: string, field: string): keys.Key {
  if (key === undefined || !names.includes(name)) throw refusal(field, `${JSON.stringify(name)} cannot be set`)
  return key
}

/** Puts a constant, what a map gives, or another value of the packet into the first register. */
function storeValue(program: Program, value: Value, type: DataType, field: string): void {
  if (isConstant(value)) {
    program.emit({ name: 'immediate', dreg: 0, data: encodeValue(type, value, field) })
    return
  }
  if (typeof value !== 'object' || value === null) throw refusal(field, 'a value is needed')
  if ('map' in value) return lookupValue(program, value, 0, [partOf(type)], field)
  const operand = load(program, value, 0, field)
  if (operand.length !== byteLength(type))
    throw refusal(field, `${operand.length} bytes cannot be stored in the ${byteLength(type)} of ${type.name}`)
  align(program, operand, field)
  if (type.order === 'big' && needsSwap(operand.type)) toNetworkOrder(program, operand)
  else if (type.order === 'host' && operand.type.order === 'big' && operand.length > 1) {
    throw refusal(field, `${operand.type.name} is in network order, and ${type.name} is not`)
  }
}

const isConstant = (value: Value): value is Scalar | Scalar[] => typeof value !== 'object' || Array.isArray(value)

function manglePayload(program: Program, name: Extract<Expression, { payload: unknown }>['payload'], value: Value, field: string): void {
  const target = typeof name === 'string' ? payloadField(name) : undefined
  if (typeof name !== 'string' || target === undefined) throw refusal(`${field}.key.payload`, 'the name of a header field is needed')
  const header = name.slice(0, name.indexOf(' '))
  const checksum = header === 'ip6' || name.endsWith(' checksum') ? undefined : CHECKSUM_OFFSET[header]
  const span = writtenSpan(target, checksum !== undefined)
  if (span.whole) storeValue(program, value, target.type, `${field}.value`)
  else replaceBits(program, target, span, value, `${field}.value`)
  const isAddress = /^ip6? [sd]addr$/.test(name)
  program.emit({
    name: 'payload',
    sreg: 0,
    base: BASES[target.base],
    offset: span.offset,
    length: span.length,
    checksumType: checksum === undefined ? 0 : header === 'sctp' ? CHECKSUM_SCTP : CHECKSUM_INET,
    checksumOffset: checksum ?? 0,
    checksumFlags: isAddress ? PSEUDO_HEADER : 0,
  })
}

interface Span {
  /** Bytes. */
  offset: number
  length: number
  /** The span is the field, nothing else is in it. */
  whole: boolean
}

/** The bytes that are written: internet checksums can only be corrected for pairs of bytes. */
function writtenSpan({ offset, type }: Field, checksum: boolean): Span {
  const unit = checksum ? 16 : 8
  const first = Math.floor(offset / unit) * unit
  const end = Math.ceil((offset + type.bits) / unit) * unit
  return { offset: first / 8, length: (end - first) / 8, whole: first === offset && end === offset + type.bits }
}

/** Reads the span, replaces the bits of the field by a constant, and leaves the result in the first register. */
function replaceBits(program: Program, { base, offset, type }: Field, span: Span, value: Value, field: string): void {
  if (!isConstant(value)) throw refusal(field, 'this field can only be set to a constant')
  const behind = (span.offset + span.length) * 8 - offset - type.bits
  const inSpan = (bytes: Uint8Array): Uint8Array => {
    const wide = new Uint8Array(span.length)
    wide.set(bytes, span.length - bytes.length)
    return bits.shiftedLeft(wide, behind)
  }
  const all = bits.numberToBytes((1n << BigInt(type.bits)) - 1n, byteLength(type), 'big')!
  program.emit({ name: 'payload', dreg: 0, base: BASES[base], offset: span.offset, length: span.length })
  const constant = encodeValue(type, value, field)
  program.emit({ name: 'bitwise', sreg: 0, dreg: 0, length: span.length, op: 0, mask: bits.not(inSpan(all)), xor: inSpan(constant) })
}
