import type { PolicyRuleObject } from '../../../contracts/kernel-objects.js'
import { AF_INET, AF_INET6, ipToText } from '../../addresses.js'
import { attributeTable, text, u32, u8 } from '../../netlink/reader.js'
import { wordOf } from '../input.js'
import * as fra from './message.js'

const HEADER = 12
const NOTHING = new Uint8Array(0)
/** The kernel's way to say that nothing is suppressed. */
const NOT_SUPPRESSED = 0xffffffff
/** Conditions that libcnm has no words for: goto, flow, tunnel, groups, l3mdev, users, protocols, ports, and newer ones. */
const FOREIGN = [4, 11, 12, 13, 19, 20, 22, 23, 24, 25, 26, 27, 28, 29, 30]
const HIGHEST = 30
const FRA_SUPPRESS_IFGROUP = 13

export type RuleFacts = Omit<PolicyRuleObject, 'kind' | 'at'>

/** Pure. `undefined` for a rule that libcnm cannot make again. @param payload of RTM_NEWRULE: struct fib_rule_hdr and attributes */
export function parseRule(payload: Uint8Array): RuleFacts | undefined {
  if (payload.length < HEADER) return undefined
  const family = u8(payload)
  const action = wordOf(u8(payload, 7), fra.ACTION)
  const table = attributeTable(payload, HEADER, HIGHEST)
  if ((family !== AF_INET && family !== AF_INET6) || action === undefined || u8(payload, 3) !== 0 || isForeign(table)) return undefined
  const facts: RuleFacts = { family: family === AF_INET6 ? 6 : 4, priority: number(table, fra.FRA_PRIORITY) }
  const from = ipToText(table[fra.FRA_SRC] ?? NOTHING)
  if (from !== '') facts.from = `${from}/${u8(payload, 2)}`
  const to = ipToText(table[fra.FRA_DST] ?? NOTHING)
  if (to !== '') facts.to = `${to}/${u8(payload, 1)}`
  if (table[fra.FRA_IIFNAME] !== undefined) facts.iif = text(table[fra.FRA_IIFNAME])
  if (table[fra.FRA_OIFNAME] !== undefined) facts.oif = text(table[fra.FRA_OIFNAME])
  readMark(facts, table)
  const looked = table[fra.FRA_TABLE] === undefined ? u8(payload, 4) : number(table, fra.FRA_TABLE)
  if (action === 'lookup' && looked !== fra.MAIN_TABLE) facts.table = looked
  if (action !== 'lookup') facts.action = action
  const suppressed = table[fra.FRA_SUPPRESS_PREFIXLEN]
  if (suppressed !== undefined && u32(suppressed) !== NOT_SUPPRESSED) facts.suppressPrefixLength = u32(suppressed)
  if (u32(payload, 8) & fra.FIB_RULE_INVERT) facts.invert = true
  return facts
}

export const priorityOf = (payload: Uint8Array): number => number(attributeTable(payload, HEADER, fra.FRA_PRIORITY), fra.FRA_PRIORITY)

function readMark(facts: RuleFacts, table: readonly (Uint8Array | undefined)[]): void {
  if (table[fra.FRA_FWMARK] === undefined && table[fra.FRA_FWMASK] === undefined) return
  facts.mark = number(table, fra.FRA_FWMARK)
  const mask = number(table, fra.FRA_FWMASK)
  if (mask !== fra.WHOLE_MARK) facts.markMask = mask
}

function isForeign(table: readonly (Uint8Array | undefined)[]): boolean {
  return FOREIGN.some((attribute) => {
    const value = table[attribute]
    if (value === undefined) return false
    return attribute === FRA_SUPPRESS_IFGROUP ? u32(value) !== NOT_SUPPRESSED : value.some((byte) => byte !== 0)
  })
}

const number = (table: readonly (Uint8Array | undefined)[], attribute: number): number => u32(table[attribute] ?? NOTHING)
