import type { MapLookup, NatFlag, NatTarget, NatValue, PortTarget, Statement } from '../../contracts/firewall-rules.js'
import type { FirewallFamily } from '../../contracts/firewall.js'
import type { Scalar } from '../../contracts/firewall-types.js'
import * as bits from './bytes.js'
import { lookupValue } from './compile-lookup.js'
import { byteLength, TYPES, type DataType } from './data-types.js'
import { partOf } from './key-layout.js'
import { registerCount, type Program } from './program.js'
import { onlyKeys, refusal } from './refusal.js'
import { encodeInterval, encodePrefix, encodeValue } from './values.js'

/** linux/netfilter/nf_nat.h NF_NAT_RANGE_* */
export const NAT_FLAGS: Readonly<Record<NatFlag, number>> = { random: 0x4, persistent: 0x8, 'fully-random': 0x10 }
export const PORT_SPECIFIED = 0x2
export const NETMAP = 0x40
export const NFPROTO: Readonly<Record<'ip' | 'ip6' | 'inet', number>> = { ip: 2, ip6: 10, inet: 1 }
export const NAT_TYPE = { snat: 0, dnat: 1 } as const

/** Registers for the lower and the upper address and port, each large enough for an IPv6 address. */
const ADDRESS = 0
const PORT = 8
const WHOLE = 4

export function compileNat(program: Program, kind: 'snat' | 'dnat', target: NatTarget, field: string): void {
  onlyKeys(target, ['family', 'address', 'port', 'to', 'prefix', 'flags'], field)
  const family = addressFamily(program.family, target.family, target.address, field)
  const [address, several] = [
    TYPES[family === 'ip6' ? 'ipv6_addr' : 'ipv4_addr'],
    [target.address ?? target.port, target.to, target.prefix],
  ]
  if (several.filter((given) => given !== undefined).length !== 1) throw refusal(field, 'give address and port, or one of to and prefix')
  const addressed = target.address ?? target.to ?? target.prefix
  if (addressed !== undefined && family === undefined) throw refusal(`${field}.family`, 'ip or ip6 is needed')
  const registers =
    target.to !== undefined
      ? both(program, target.to, address, `${field}.to`)
      : target.prefix !== undefined
        ? prefix(program, target.prefix, address, `${field}.prefix`)
        : separate(program, target, address, field)
  const flags = natFlags(target.flags, field) | registers.flags
  const number = NFPROTO[addressed === undefined && program.family === 'inet' && target.family === undefined ? 'inet' : (family ?? 'inet')]
  program.emit({ name: 'nat', mode: NAT_TYPE[kind], family: number, ...registers.fields, ...(flags !== 0 && { flags }) })
}

interface Registers {
  fields: { addressMin?: number; addressMax?: number; portMin?: number; portMax?: number }
  flags: number
}

/** One map gives address and port. */
function both(program: Program, lookup: MapLookup, address: DataType, field: string): Registers {
  lookupValue(program, lookup, ADDRESS, [partOf(address), partOf(TYPES.inet_service)], field)
  return { fields: { addressMin: ADDRESS, portMin: ADDRESS + registerCount(byteLength(address)) }, flags: 0 }
}

/** A map gives the first and the last address of a prefix. */
function prefix(program: Program, lookup: MapLookup, address: DataType, field: string): Registers {
  if (typeof lookup.map !== 'string') throw refusal(`${field}.map`, 'the name of a map with dataInterval is needed')
  lookupValue(program, lookup, ADDRESS, [partOf(address)], field)
  return { fields: { addressMin: ADDRESS, addressMax: ADDRESS + registerCount(byteLength(address)) }, flags: NETMAP }
}

function separate(program: Program, target: NatTarget, type: DataType, field: string): Registers {
  const result: Registers = { fields: {}, flags: 0 }
  if (target.address !== undefined) {
    const { min, max, flags } = natValue(program, target.address, type, ADDRESS, `${field}.address`)
    Object.assign(result.fields, { addressMin: min, ...(max !== undefined && { addressMax: max }) })
    result.flags |= flags
  }
  if (target.port !== undefined) {
    const { min, max } = natValue(program, target.port, TYPES.inet_service, PORT, `${field}.port`)
    Object.assign(result.fields, { portMin: min, ...(max !== undefined && { portMax: max }) })
    result.flags |= PORT_SPECIFIED
  }
  return result
}

export function compileMasquerade(program: Program, target: PortTarget, field: string): void {
  const { fields, flags } = ports(program, target, field)
  program.emit({ name: 'masq', ...fields, ...(flags !== 0 && { flags }) })
}

export function compileRedirect(program: Program, target: PortTarget, field: string): void {
  const { fields, flags } = ports(program, target, field)
  program.emit({ name: 'redir', ...fields, ...(flags !== 0 && { flags }) })
}

function ports(program: Program, target: PortTarget, field: string): { fields: { portMin?: number; portMax?: number }; flags: number } {
  onlyKeys(target, ['port', 'flags'], field)
  const flags = natFlags(target.flags, field)
  if (target.port === undefined) return { fields: {}, flags }
  const { min, max } = natValue(program, target.port, TYPES.inet_service, ADDRESS, `${field}.port`)
  return { fields: { portMin: min, ...(max !== undefined && { portMax: max }) }, flags: flags | PORT_SPECIFIED }
}

export function compileTproxy(program: Program, target: Extract<Statement, { tproxy: unknown }>['tproxy'], field: string): void {
  onlyKeys(target, ['family', 'address', 'port'], field)
  if (target.address === undefined && target.port === undefined) throw refusal(field, 'address or port is needed')
  const family = addressFamily(program.family, target.family, target.address, field)
  if (target.address !== undefined && family === undefined) throw refusal(`${field}.family`, 'ip or ip6 is needed')
  const type = TYPES[family === 'ip6' ? 'ipv6_addr' : 'ipv4_addr']
  const address = target.address === undefined ? {} : { address: natValue(program, target.address, type, ADDRESS, `${field}.address`).min }
  const port = target.port === undefined ? {} : { port: natValue(program, target.port, TYPES.inet_service, PORT, `${field}.port`).min }
  program.emit({ name: 'tproxy', family: family === undefined ? 0 : NFPROTO[family], ...address, ...port })
}

/** Constants, first and last of a range, or what a map gives, in registers. */
function natValue(
  program: Program,
  value: NatValue,
  type: DataType,
  register: number,
  field: string,
): { min: number; max?: number; flags: number } {
  if (typeof value === 'object' && 'map' in value) {
    lookupValue(program, value, register, [partOf(type)], field)
    return { min: register, flags: 0 }
  }
  const network = typeof value === 'string' ? encodePrefix(type, value, field) : undefined
  if (typeof value !== 'object' && network === undefined) {
    program.emit({ name: 'immediate', dreg: register, data: encodeValue(type, value, field) })
    return { min: register, flags: 0 }
  }
  const { low, high } = encodeInterval(type, value, field)
  program.emit({ name: 'immediate', dreg: register, data: low })
  if (bits.sameBytes(low, high) && network === undefined) return { min: register, flags: 0 }
  program.emit({ name: 'immediate', dreg: register + WHOLE, data: high })
  return { min: register, max: register + WHOLE, flags: network === undefined ? 0 : NETMAP }
}

/** The family that is given, or that of the table, or that of a constant address. */
function addressFamily(
  table: FirewallFamily,
  given: 'ip' | 'ip6' | undefined,
  address: NatValue | undefined,
  field: string,
): 'ip' | 'ip6' | undefined {
  if (given !== undefined && given !== 'ip' && given !== 'ip6') throw refusal(`${field}.family`, 'must be ip or ip6')
  const own = table === 'ip' || table === 'ip6' ? table : undefined
  if (own !== undefined && given !== undefined && own !== given)
    throw refusal(`${field}.family`, `an ${own} table has no packets of ${given}`)
  const sample: Scalar | undefined = typeof address === 'object' ? ('range' in address ? address.range[0] : undefined) : address
  const written = typeof sample === 'string' ? (sample.includes(':') ? 'ip6' : 'ip') : undefined
  return given ?? own ?? written
}

function natFlags(flags: NatFlag[] | undefined, field: string): number {
  let result = 0
  for (const flag of flags ?? []) {
    if (!Object.hasOwn(NAT_FLAGS, flag)) throw refusal(`${field}.flags`, `there is no flag ${JSON.stringify(flag)}`)
    result |= NAT_FLAGS[flag]
  }
  return result
}
