import type { PolicyRuleObject } from '../../../contracts/kernel-objects.js'
import { AF_INET, AF_INET6 } from '../../addresses.js'
import type { MessageWriter } from '../../netlink/writer.js'
import { prefixLength } from '../../prefixes.js'
import { attrNetwork, familyOf } from '../address-attributes.js'
import { boolean, integer, invalid, linkName, numberOf } from '../input.js'

/** linux/fib_rules.h */
export const FRA_DST = 1
export const FRA_SRC = 2
export const FRA_IIFNAME = 3
export const FRA_PRIORITY = 6
export const FRA_FWMARK = 10
export const FRA_SUPPRESS_PREFIXLEN = 14
export const FRA_TABLE = 15
export const FRA_FWMASK = 16
export const FRA_OIFNAME = 17
export const FIB_RULE_INVERT = 2

export const ACTION = { lookup: 1, blackhole: 6, unreachable: 7, prohibit: 8 } as const
export const MAIN_TABLE = 254
export const WHOLE_MARK = 0xffffffff
const LARGEST_U8 = 0xff

/** One message about a rule: struct fib_rule_hdr of linux/fib_rules.h. */
export function writeRule(writer: MessageWriter, type: number, flags: number, rule: PolicyRuleObject): void {
  const action = rule.action ?? 'lookup'
  const table = tableOf(rule)
  const [to, from] = [lengthOf(rule.to, 'to', rule), lengthOf(rule.from, 'from', rule)]
  const invert = boolean(rule.invert ?? false, 'invert') ? FIB_RULE_INVERT : 0
  if (rule.family !== 4 && rule.family !== 6) throw invalid('family', `${JSON.stringify(rule.family)} is neither 4 nor 6`)
  writer
    .begin(type, flags)
    .u8(familyOfRule(rule))
    .u8(to)
    .u8(from)
    .u8(0)
    .u8(table > LARGEST_U8 ? 0 : table)
    .u8(0)
    .u8(0)
  writer.u8(numberOf(action, ACTION, 'action')).u32(invert)
  writer.attrU32(FRA_PRIORITY, integer(rule.priority, 'priority'))
  if (rule.to !== undefined && to > 0) attrNetwork(writer, FRA_DST, rule.to, to, 'to')
  if (rule.from !== undefined && from > 0) attrNetwork(writer, FRA_SRC, rule.from, from, 'from')
  if (rule.iif !== undefined) writer.attrString(FRA_IIFNAME, linkName(rule.iif, 'iif'))
  if (rule.oif !== undefined) writer.attrString(FRA_OIFNAME, linkName(rule.oif, 'oif'))
  writeMark(writer, rule)
  if (table > LARGEST_U8) writer.attrU32(FRA_TABLE, table)
  if (rule.suppressPrefixLength !== undefined)
    writer.attrU32(FRA_SUPPRESS_PREFIXLEN, integer(rule.suppressPrefixLength, 'suppressPrefixLength', 128))
  writer.end()
}

export const familyOfRule = (rule: PolicyRuleObject): number => (rule.family === 6 ? AF_INET6 : AF_INET)

function tableOf({ action = 'lookup', table }: PolicyRuleObject): number {
  if (action === 'lookup') return integer(table ?? MAIN_TABLE, 'table', undefined, 1)
  if (table !== undefined) throw invalid('table', `a rule that says ${action} looks up none`)
  return 0
}

function writeMark(writer: MessageWriter, { mark, markMask }: PolicyRuleObject): void {
  if (mark === undefined && markMask === undefined) return
  writer.attrU32(FRA_FWMARK, integer(mark ?? 0, 'mark'))
  writer.attrU32(FRA_FWMASK, integer(markMask ?? WHOLE_MARK, 'markMask'))
}

function lengthOf(prefix: string | undefined, field: 'from' | 'to', rule: PolicyRuleObject): number {
  if (prefix === undefined) return 0
  if (familyOf(prefix) !== familyOfRule(rule)) throw invalid(field, `${prefix} is not of family ${rule.family}`)
  return prefixLength(prefix, field)
}
