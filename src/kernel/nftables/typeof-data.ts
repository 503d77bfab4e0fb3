/**
 * How nft(8) notes in a set's user data which `typeof` expressions its key and data were declared with. Plain
 * integers have no type name, so a set that has one is declared in this way: every part by an expression of its type.
 */
import type { DataTypeName, RawPayload, SetType } from '../../contracts/firewall-types.js'
import { META } from './packet-keys.js'
import { readNumber, readUserData, UserData } from './userdata.js'

/** nft's enum expr_types */
const EXPR = { verdict: 1, payload: 7, meta: 9, concat: 13, numgen: 23 } as const
const TYPEOF = { expression: 0, data: 1 } as const
/** Raw payload has no protocol description and no field number. */
const PAYLOAD = { description: 0, field: 1, base: 2, offset: 3, length: 4 } as const
const META_KEY = 0
const NUMGEN = { mode: 0, mod: 1, offset: 2 } as const
/** nft counts header bases from 1. */
const BASES: readonly RawPayload['base'][] = ['ll', 'nh', 'th', 'ih']

/** Fields by nft's number of their protocol and their place in its table: an example of each type. */
const FIELD_OF: Partial<Record<DataTypeName, readonly [description: number, field: number]>> = {
  ipv4_addr: [12, 12],
  ipv6_addr: [13, 9],
  ether_addr: [17, 2],
  ether_type: [17, 3],
  inet_service: [11, 2],
  dscp: [12, 3],
}
const META_OF: Partial<Record<DataTypeName, number>> = {
  inet_proto: META.l4proto.number,
  mark: META.mark.number,
  ifname: META.iifname.number,
  iface_index: META.iif.number,
  nf_proto: META.nfproto.number,
  pkt_type: META.pkttype.number,
  uid: META.skuid.number,
  gid: META.skgid.number,
}

/** For key and data of a set, or `undefined` where type names say it all or nft has no expression of a type. */
export function typeofData(
  key: readonly SetType[],
  data: readonly SetType[] | 'verdict' | undefined,
): { key: UserData; data?: UserData } | undefined {
  const nameless = (types: readonly SetType[]): boolean => types.some((type) => typeof type === 'object')
  if (!nameless(key) && (typeof data !== 'object' || !nameless(data))) return undefined
  const keyData = expressions(key)
  if (data === undefined) return keyData && { key: keyData }
  const dataData = data === 'verdict' ? expression(EXPR.verdict, new UserData()) : expressions(data)
  return keyData && dataData && { key: keyData, data: dataData }
}

const expression = (number: number, data: UserData): UserData => new UserData().u32(TYPEOF.expression, number).nested(TYPEOF.data, data)

function expressions(types: readonly SetType[]): UserData | undefined {
  const parts = types.map(expressionOf)
  if (parts.length === 1) return parts[0]
  const list = new UserData()
  for (const [i, part] of parts.entries()) {
    if (part === undefined) return undefined
    list.nested(i, part)
  }
  return expression(EXPR.concat, list)
}

function expressionOf(type: SetType): UserData | undefined {
  if (typeof type === 'string') {
    const field = FIELD_OF[type]
    if (field !== undefined) return expression(EXPR.payload, new UserData().u32(PAYLOAD.description, field[0]).u32(PAYLOAD.field, field[1]))
    const meta = META_OF[type]
    return meta === undefined ? undefined : expression(EXPR.meta, new UserData().u32(META_KEY, meta))
  }
  if ('payload' in type) {
    const { base, offset, length } = type.payload
    const raw = new UserData()
      .u32(PAYLOAD.description, 0)
      .u32(PAYLOAD.field, 0)
      .u32(PAYLOAD.base, BASES.indexOf(base) + 1)
    return expression(EXPR.payload, raw.u32(PAYLOAD.offset, offset).u32(PAYLOAD.length, length))
  }
  if (!('numgen' in type)) return undefined
  const { mode, mod, offset = 0 } = type.numgen
  const data = new UserData()
    .u32(NUMGEN.mode, mode === 'random' ? 1 : 0)
    .u32(NUMGEN.mod, mod)
    .u32(NUMGEN.offset, offset)
  return expression(EXPR.numgen, data)
}

/** The types of `count` parts, `undefined` for each that a type name stands for, or that cannot be read. */
export function readTypeof(bytes: Uint8Array | undefined, count: number): (SetType | undefined)[] {
  const whole = readUserData(bytes)
  const list = readNumber(whole.get(TYPEOF.expression)) === EXPR.concat ? readUserData(whole.get(TYPEOF.data)) : undefined
  return Array.from({ length: count }, (_, i) => readExpression(list === undefined ? bytes : list.get(i)))
}

function readExpression(bytes: Uint8Array | undefined): SetType | undefined {
  const parts = readUserData(bytes)
  const data = readUserData(parts.get(TYPEOF.data))
  const number = (key: number): number => readNumber(data.get(key)) ?? 0
  const kind = readNumber(parts.get(TYPEOF.expression))
  if (kind === EXPR.payload && number(PAYLOAD.description) === 0) {
    const base = BASES[number(PAYLOAD.base) - 1]
    const length = number(PAYLOAD.length)
    return base === undefined || length < 1 || length > 128 ? undefined : { payload: { base, offset: number(PAYLOAD.offset), length } }
  }
  if (kind !== EXPR.numgen) return undefined
  const offset = number(NUMGEN.offset)
  return { numgen: { mode: number(NUMGEN.mode) === 1 ? 'random' : 'inc', mod: number(NUMGEN.mod), ...(offset !== 0 && { offset }) } }
}
