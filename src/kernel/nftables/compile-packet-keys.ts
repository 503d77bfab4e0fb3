/** Loads what the kernel knows of a packet besides its bytes. */
import type { Expression } from '../../contracts/firewall-rules.js'
import { byteLength, TYPES, type DataType } from './data-types.js'
import * as keys from './packet-keys.js'
import type { Operand, Program } from './program.js'
import { onlyKeys, refusal, wholeNumber } from './refusal.js'

const TCP_OPTION_OP = 1
const EXTHDR_PRESENT = 1

type With<K extends string> = Extract<Expression, { [key in K]: unknown }>

export const loaded = (register: number, type: DataType): Operand => ({ register, type, length: byteLength(type), shift: 0 })

type Keyed = 'meta' | 'rt'

export function loadKey<K extends string>(
  program: Program,
  name: Keyed,
  table: Readonly<Record<K, keys.Key>>,
  wanted: K,
  register: number,
  field: string,
): Operand {
  const key = keys.own(table, wanted)
  if (key === undefined) throw refusal(field, `there is no key ${JSON.stringify(wanted)}`)
  program.emit({ name, dreg: register, key: key.number })
  return loaded(register, key.type)
}

export function loadConntrack(program: Program, expression: With<'ct'>, register: number, field: string): Operand {
  onlyKeys(expression, ['ct', 'direction'], field)
  const key = keys.own(keys.CT, expression.ct)
  if (key === undefined) throw refusal(`${field}.ct`, `there is no key ${JSON.stringify(expression.ct)}`)
  const { direction } = expression
  if (direction !== undefined && direction !== 'original' && direction !== 'reply')
    throw refusal(`${field}.direction`, 'must be original or reply')
  const generic = expression.ct === 'saddr' || expression.ct === 'daddr'
  if (generic && program.family !== 'ip' && program.family !== 'ip6')
    throw refusal(`${field}.ct`, `say ip or ip6 ${expression.ct} outside ip and ip6 tables`)
  const needsDirection = generic || /[ds]addr$|^proto-/.test(expression.ct)
  if (needsDirection && direction === undefined) throw refusal(`${field}.direction`, `is needed for ct ${expression.ct}`)
  const type = generic && program.family === 'ip6' ? TYPES.ipv6_addr : key.type
  program.emit({ name: 'ct', dreg: register, key: key.number, ...(direction && { direction: direction === 'reply' ? 1 : 0 }) })
  return loaded(register, type)
}

export function loadFib(program: Program, fib: With<'fib'>['fib'], register: number, field: string): Operand {
  onlyKeys(fib, ['keys', 'result'], field)
  const result = keys.own(keys.FIB_RESULTS, fib.result)
  if (result === undefined) throw refusal(`${field}.result`, 'must be oif, oifname, type or exists')
  let flags = fib.result === 'exists' ? keys.FIB_PRESENT : 0
  for (const key of fib.keys) {
    const flag = keys.own(keys.FIB_KEYS, key)
    if (flag === undefined) throw refusal(`${field}.keys`, `there is no key ${JSON.stringify(key)}`)
    flags |= flag
  }
  program.emit({ name: 'fib', dreg: register, result: result.number, flags })
  return loaded(register, result.type)
}

export function loadTcpOption(
  program: Program,
  expression: With<'tcpOption'> | With<'tcpOptionExists'>,
  register: number,
  field: string,
): Operand {
  if ('tcpOptionExists' in expression) {
    const kind = wholeNumber(expression.tcpOptionExists, 255, `${field}.tcpOptionExists`)
    program.emit({ name: 'exthdr', dreg: register, kind, offset: 0, length: 1, flags: EXTHDR_PRESENT, op: TCP_OPTION_OP })
    return loaded(register, TYPES.boolean)
  }
  const option = keys.own(keys.TCP_OPTIONS, expression.tcpOption)
  if (option === undefined) throw refusal(`${field}.tcpOption`, `there is no option ${JSON.stringify(expression.tcpOption)}`)
  const { kind, offset, type } = option
  program.emit({ name: 'exthdr', dreg: register, kind, offset, length: byteLength(type), op: TCP_OPTION_OP })
  return loaded(register, type)
}

export function loadSocket(program: Program, expression: With<'socket'>, register: number, field: string): Operand {
  onlyKeys(expression, ['socket', 'level'], field)
  const key = keys.own(keys.SOCKET, expression.socket)
  if (key === undefined) throw refusal(`${field}.socket`, `there is no key ${JSON.stringify(expression.socket)}`)
  if ((expression.socket === 'cgroupv2') !== (expression.level !== undefined))
    throw refusal(`${field}.level`, 'is for cgroupv2, which needs it')
  const level = expression.level === undefined ? {} : { level: wholeNumber(expression.level, 255, `${field}.level`) }
  program.emit({ name: 'socket', dreg: register, key: key.number, ...level })
  return loaded(register, key.type)
}

export function loadXfrm(program: Program, expression: With<'ipsec'>, register: number, field: string): Operand {
  onlyKeys(expression, ['ipsec', 'direction', 'spnum'], field)
  const key = keys.own(keys.XFRM, expression.ipsec)
  if (key === undefined) throw refusal(`${field}.ipsec`, `there is no key ${JSON.stringify(expression.ipsec)}`)
  if (expression.direction !== 'in' && expression.direction !== 'out') throw refusal(`${field}.direction`, 'must be in or out')
  const spnum = wholeNumber(expression.spnum ?? 0, 255, `${field}.spnum`)
  program.emit({ name: 'xfrm', dreg: register, key: key.number, direction: expression.direction === 'out' ? 1 : 0, spnum })
  return loaded(register, key.type)
}
