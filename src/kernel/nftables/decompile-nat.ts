import type { MapLookup, NatFlag, NatTarget, NatValue, PortTarget, Statement } from '../../contracts/firewall-rules.js'
import type { Scalar, ValueRange } from '../../contracts/firewall-types.js'
import * as bits from './bytes.js'
import { NAT_FLAGS, NAT_TYPE, NETMAP, NFPROTO } from './compile-nat.js'
import { byteLength, TYPES, type DataType } from './data-types.js'
import type { Instruction } from './kernel-expressions.js'
import { partOf } from './key-layout.js'
import { registerCount } from './program.js'
import type { Reading } from './reading.js'
import type { Content } from './register-file.js'
import { decodeScalar } from './values.js'

export function decodeNat(reading: Reading, at: number, told: Instruction<'nat'>): boolean {
  const nat = withoutRepeats(told)
  const kind = nat.mode === NAT_TYPE.dnat ? 'dnat' : nat.mode === NAT_TYPE.snat ? 'snat' : undefined
  const family = nat.family === NFPROTO.ip6 ? 'ip6' : nat.family === NFPROTO.ip ? 'ip' : undefined
  if (kind === undefined || (family === undefined && nat.addressMin !== undefined)) return false
  const uses: Content[] = []
  const address = TYPES[family === 'ip6' ? 'ipv6_addr' : 'ipv4_addr']
  const parts = natParts(reading, nat, address, uses)
  if (parts === undefined) return false
  const named: { family?: 'ip' | 'ip6' } = family === undefined || family === reading.family ? {} : { family }
  const target: NatTarget = { ...named, ...parts, ...flagNames(nat.flags) }
  return reading.say(kind === 'dnat' ? { dnat: target } : { snat: target }, at, uses)
}

/** The kernel tells the lower end of a range again as its upper one when there is no other. */
function withoutRepeats({ addressMax, portMax, ...nat }: Instruction<'nat'>): Instruction<'nat'> {
  return {
    ...nat,
    ...(addressMax !== undefined && addressMax !== nat.addressMin && { addressMax }),
    ...(portMax !== undefined && portMax !== nat.portMin && { portMax }),
  }
}

function natParts(reading: Reading, nat: Instruction<'nat'>, address: DataType, uses: Content[]): NatTarget | undefined {
  const first = reading.registers.get(nat.addressMin)
  const behind = (nat.addressMin ?? 0) + registerCount(byteLength(address))
  const netmap = ((nat.flags ?? 0) & NETMAP) !== 0
  const pair = nat.portMin === behind && reading.registers.get(behind)?.fresh !== true
  if (first?.value.is === 'lookup' && pair && nat.addressMax === undefined && nat.portMax === undefined) {
    const to = reading.lookup(first.value, [partOf(address), partOf(TYPES.inet_service)])
    uses.push(first)
    return to && { to }
  }
  if (first?.value.is === 'lookup' && nat.addressMax === behind && netmap && nat.portMin === undefined) {
    const prefix = reading.lookup(first.value, [partOf(address)])
    uses.push(first)
    return prefix && typeof prefix.map === 'string' ? { prefix } : undefined
  }
  const target: NatTarget = {}
  if (nat.addressMin !== undefined) {
    const value = natValue(reading, nat.addressMin, nat.addressMax, address, netmap, uses)
    if (value === undefined) return undefined
    target.address = value
  }
  if (nat.portMin !== undefined) {
    const value = natValue(reading, nat.portMin, nat.portMax, TYPES.inet_service, false, uses)
    if (value === undefined) return undefined
    target.port = value
  }
  return target.address === undefined && target.port === undefined ? undefined : target
}

export function decodeMasquerade(reading: Reading, at: number, { portMin, portMax, flags }: Instruction<'masq'>): boolean {
  return decodePorts(reading, at, portMin, portMax, flags, (masquerade) => ({ masquerade }))
}

export function decodeRedirect(reading: Reading, at: number, { portMin, portMax, flags }: Instruction<'redir'>): boolean {
  return decodePorts(reading, at, portMin, portMax, flags, (redirect) => ({ redirect }))
}

function decodePorts(
  reading: Reading,
  at: number,
  min: number | undefined,
  max: number | undefined,
  flags: number | undefined,
  make: (target: PortTarget) => Statement,
): boolean {
  const uses: Content[] = []
  if (min === undefined) return reading.say(make(flagNames(flags)), at, uses)
  const port = natValue(reading, min, max === min ? undefined : max, TYPES.inet_service, false, uses)
  return port !== undefined && reading.say(make({ port, ...flagNames(flags) }), at, uses)
}

export function decodeTproxy(reading: Reading, at: number, tproxy: Instruction<'tproxy'>): boolean {
  const uses: Content[] = []
  const family = tproxy.family === NFPROTO.ip6 ? 'ip6' : tproxy.family === NFPROTO.ip ? 'ip' : undefined
  const value = (register: number, type: DataType): Scalar | MapLookup | undefined => {
    const found = natValue(reading, register, undefined, type, false, uses)
    return typeof found === 'object' && 'range' in found ? undefined : found
  }
  const address = tproxy.address === undefined ? undefined : value(tproxy.address, TYPES[family === 'ip6' ? 'ipv6_addr' : 'ipv4_addr'])
  const port = tproxy.port === undefined ? undefined : value(tproxy.port, TYPES.inet_service)
  if ((tproxy.address !== undefined && address === undefined) || (tproxy.port !== undefined && port === undefined)) return false
  const named: { family?: 'ip' | 'ip6' } = family === undefined || family === reading.family ? {} : { family }
  return reading.say({ tproxy: { ...named, ...(address !== undefined && { address }), ...(port !== undefined && { port }) } }, at, uses)
}

/** A constant, a range or prefix of them, or what a map gives. */
function natValue(
  reading: Reading,
  min: number,
  max: number | undefined,
  type: DataType,
  netmap: boolean,
  uses: Content[],
): NatValue | undefined {
  const low = reading.registers.get(min)
  if (low === undefined) return undefined
  uses.push(low)
  if (low.value.is === 'lookup' && max === undefined) return reading.lookup(low.value, [partOf(type)])
  const high = max === undefined || max === min ? low : reading.registers.get(max)
  if (low.value.is !== 'constant' || high?.value.is !== 'constant') return undefined
  uses.push(high)
  const [from, to] = [low.value.bytes, high.value.bytes]
  if (from.length !== byteLength(type) || to.length !== from.length) return undefined
  if (netmap) {
    const length = bits.rangePrefixLength(from, to)
    return length === undefined ? undefined : `${decodeScalar(type, from)}/${length}`
  }
  const range: ValueRange = { range: [decodeScalar(type, from), decodeScalar(type, to)] }
  return bits.sameBytes(from, to) ? decodeScalar(type, from) : range
}

function flagNames(flags = 0): { flags?: NatFlag[] } {
  const names = (Object.keys(NAT_FLAGS) as NatFlag[]).filter((name) => flags & NAT_FLAGS[name])
  return names.length === 0 ? {} : { flags: names }
}
