/** The statements log and reject, both ways. */
import type { Log, Reject } from '../../contracts/firewall-rules.js'
import { ICMPX_CODE, TYPES, type DataType } from './data-types.js'
import type { Instruction, KernelExpression } from './kernel-expressions.js'
import { onlyKeys, refusal, wholeNumber } from './refusal.js'
import { decodeScalar, encodeValue } from './values.js'

/** enum nft_log_level, which is that of syslog(3) with one more */
const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warning', 'notice', 'info', 'debug', 'audit'] as const
const DEFAULT_LEVEL = 4
/** linux/netfilter/nf_log.h NF_LOG_* */
const LOG_FLAGS = { 'tcp sequence': 0x1, 'tcp options': 0x2, 'ip options': 0x4, skuid: 0x8, ether: 0x20 } as const
type LogFlag = keyof typeof LOG_FLAGS
const LONGEST_PREFIX = 127

export function encodeLog(log: Log, field: string): KernelExpression {
  onlyKeys(log, ['prefix', 'level', 'flags', 'group', 'snaplen', 'queueThreshold'], field)
  const { prefix, level, flags, group, snaplen, queueThreshold } = log
  if (prefix !== undefined && (typeof prefix !== 'string' || prefix === '' || Buffer.byteLength(prefix) > LONGEST_PREFIX)) {
    throw refusal(`${field}.prefix`, `1 to ${LONGEST_PREFIX} bytes`)
  }
  const common = prefix === undefined ? {} : { prefix }
  if (group !== undefined) {
    if (level !== undefined || flags !== undefined) throw refusal(`${field}.group`, 'excludes level and flags')
    return {
      name: 'log',
      ...common,
      group: wholeNumber(group, 0xffff, `${field}.group`),
      ...(snaplen !== undefined && { snaplen: wholeNumber(snaplen, 0xffffffff, `${field}.snaplen`) }),
      ...(queueThreshold !== undefined && { threshold: wholeNumber(queueThreshold, 0xffff, `${field}.queueThreshold`) }),
    }
  }
  if (snaplen !== undefined || queueThreshold !== undefined) throw refusal(field, 'snaplen and queueThreshold need a group')
  return { name: 'log', ...common, ...logLevel(level, field), ...logFlags(flags, field) }
}

function logLevel(level: Log['level'], field: string): { level?: number } {
  if (level === undefined) return {}
  const number = LEVELS.indexOf(level)
  if (number < 0) throw refusal(`${field}.level`, `must be one of ${LEVELS.join(', ')}`)
  return { level: number }
}

function logFlags(flags: Log['flags'], field: string): { flags?: number } {
  let number = 0
  for (const flag of flags ?? []) {
    if (!Object.hasOwn(LOG_FLAGS, flag)) throw refusal(`${field}.flags`, `there is no flag ${JSON.stringify(flag)}`)
    number |= LOG_FLAGS[flag]
  }
  return number === 0 ? {} : { flags: number }
}

export function decodeLog({ prefix, level, flags, group, snaplen, threshold }: Instruction<'log'>): Log | undefined {
  const common: Log = prefix === undefined || prefix === '' ? {} : { prefix }
  if (group !== undefined) {
    return {
      ...common,
      group,
      ...(snaplen !== undefined && snaplen !== 0 && { snaplen }),
      ...(threshold !== undefined && threshold !== 0 && { queueThreshold: threshold }),
    }
  }
  const name = level === undefined ? undefined : LEVELS[level]
  if (level !== undefined && name === undefined) return undefined
  const names = (Object.keys(LOG_FLAGS) as LogFlag[]).filter((flag) => (flags ?? 0) & LOG_FLAGS[flag])
  return { ...common, ...(name !== undefined && level !== DEFAULT_LEVEL && { level: name }), ...(names.length > 0 && { flags: names }) }
}

/** enum nft_reject_types; which ICMP it is, the protocol of the packet says */
const REJECT_ICMP = 0
const REJECT_TCP_RESET = 1
const REJECT_ICMPX = 2

const CODE_TYPE: Readonly<Record<'icmp' | 'icmpv6' | 'icmpx', DataType>> = {
  icmp: TYPES.icmp_code,
  icmpv6: TYPES.icmpv6_code,
  icmpx: ICMPX_CODE,
}

export function encodeReject(reject: Reject, field: string): KernelExpression {
  if (typeof reject !== 'object' || reject === null) throw refusal(field, 'type is needed')
  if (reject.type === 'tcp reset') {
    onlyKeys(reject, ['type'], field)
    return { name: 'reject', mode: REJECT_TCP_RESET, code: 0 }
  }
  onlyKeys(reject, ['type', 'code'], field)
  if (!Object.hasOwn(CODE_TYPE, reject.type)) throw refusal(`${field}.type`, 'must be tcp reset, icmp, icmpv6 or icmpx')
  const [code = 0] = encodeValue(CODE_TYPE[reject.type], reject.code, `${field}.code`)
  return { name: 'reject', mode: reject.type === 'icmpx' ? REJECT_ICMPX : REJECT_ICMP, code }
}

/** @param network which ICMP the packet would be answered with, `undefined` when the rule has not made sure */
export function decodeReject({ mode, code = 0 }: Instruction<'reject'>, network: 'ip' | 'ip6' | undefined): Reject | undefined {
  if (mode === REJECT_TCP_RESET) return { type: 'tcp reset' }
  const type =
    mode === REJECT_ICMPX ? 'icmpx' : mode === REJECT_ICMP && network !== undefined ? (network === 'ip6' ? 'icmpv6' : 'icmp') : undefined
  return type === undefined ? undefined : { type, code: decodeScalar(CODE_TYPE[type], Uint8Array.of(code)) }
}
