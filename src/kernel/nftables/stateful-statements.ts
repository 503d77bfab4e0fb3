/** Statements that keep a state in the kernel: counters, limits, quotas, connection counts. */
import type { Limit, StatefulStatement } from '../../contracts/firewall-rules.js'
import type { Instruction, KernelExpression } from './kernel-expressions.js'
import { onlyKeys, refusal, wholeNumber } from './refusal.js'

const SECONDS = { second: 1n, minute: 60n, hour: 3600n, day: 86_400n, week: 604_800n } as const
const INVERTED = 1
const PER_BYTES = 1
const DEFAULT_BURST = { packets: 5, bytes: 0 } as const
const U32 = 0xffffffff

export const isStateful = (statement: object): statement is StatefulStatement =>
  'counter' in statement || 'limit' in statement || 'quota' in statement || 'ctCount' in statement

export function encodeStateful(statement: StatefulStatement, field: string): KernelExpression {
  if ('counter' in statement) {
    if (statement.counter !== true) throw refusal(`${field}.counter`, 'must be true')
    return { name: 'counter', bytes: 0n, packets: 0n }
  }
  if ('limit' in statement) return encodeLimit(statement.limit, `${field}.limit`)
  if ('quota' in statement) {
    const { quota } = statement
    onlyKeys(quota, ['bytes', 'over'], `${field}.quota`)
    return {
      name: 'quota',
      bytes: BigInt(wholeNumber(quota.bytes, Number.MAX_SAFE_INTEGER, `${field}.quota.bytes`)),
      flags: quota.over === true ? INVERTED : 0,
    }
  }
  onlyKeys(statement.ctCount, ['count', 'over'], `${field}.ctCount`)
  const { count, over } = statement.ctCount
  return { name: 'connlimit', count: wholeNumber(count, U32, `${field}.ctCount.count`), flags: over === true ? INVERTED : 0 }
}

function encodeLimit(limit: Limit, field: string): KernelExpression {
  onlyKeys(limit, ['rate', 'per', 'unit', 'burst', 'over'], field)
  const { rate, per, unit = 'packets', over } = limit
  if (!Object.hasOwn(SECONDS, per)) throw refusal(`${field}.per`, 'must be second, minute, hour, day or week')
  if (!Object.hasOwn(DEFAULT_BURST, unit)) throw refusal(`${field}.unit`, 'must be packets or bytes')
  const burst = wholeNumber(limit.burst ?? DEFAULT_BURST[unit], U32, `${field}.burst`)
  const whole = wholeNumber(rate, Number.MAX_SAFE_INTEGER, `${field}.rate`)
  if (whole === 0) throw refusal(`${field}.rate`, 'must be at least 1')
  return {
    name: 'limit',
    rate: BigInt(whole),
    unit: SECONDS[per],
    burst,
    mode: unit === 'bytes' ? PER_BYTES : 0,
    flags: over === true ? INVERTED : 0,
  }
}

/** `undefined` for other instructions and for values that the vocabulary cannot express. What has been counted is left out. */
export function decodeStateful(instruction: KernelExpression): StatefulStatement | undefined {
  switch (instruction.name) {
    case 'counter':
      return { counter: true }
    case 'limit':
      return decodeLimit(instruction)
    case 'quota': {
      const bytes = exactNumber(instruction.bytes)
      return bytes === undefined ? undefined : { quota: { bytes, ...over(instruction.flags) } }
    }
    case 'connlimit':
      return { ctCount: { count: instruction.count ?? 0, ...over(instruction.flags) } }
    default:
      return undefined
  }
}

function decodeLimit({ rate, unit, burst = 0, mode, flags }: Instruction<'limit'>): StatefulStatement | undefined {
  const per = (Object.keys(SECONDS) as (keyof typeof SECONDS)[]).find((name) => SECONDS[name] === unit)
  const exact = exactNumber(rate)
  if (per === undefined || exact === undefined) return undefined
  const kind = mode === PER_BYTES ? 'bytes' : 'packets'
  const limit: Limit = {
    rate: exact,
    per,
    ...(kind === 'bytes' && { unit: kind }),
    ...(burst !== DEFAULT_BURST[kind] && { burst }),
    ...over(flags),
  }
  return { limit }
}

const over = (flags: number | undefined): { over?: true } => ((flags ?? 0) & INVERTED ? { over: true } : {})
const exactNumber = (value = 0n): number | undefined => (value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : undefined)
