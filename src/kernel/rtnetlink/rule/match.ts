import type { PolicyRuleObject } from '../../../contracts/kernel-objects.js'
import { canonicalIp } from '../../addresses.js'
import { MAIN_TABLE, WHOLE_MARK } from './message.js'

type Rule = Omit<PolicyRuleObject, 'kind' | 'at'>

/** Whether both are the same rule: all fields. */
export function sameRule(a: Rule, b: Rule): boolean {
  const [x, y] = [fieldsOf(a), fieldsOf(b)]
  return (a.invert ?? false) === (b.invert ?? false) && x.every((value, i) => value === y[i])
}

/**
 * Whether the kernel, asked to remove `rule`, may remove `other`: what `rule` does not say, or says with a zero, matches
 * anything, and so does what either inverts.
 */
export function overlaps(rule: Rule, other: Rule): boolean {
  const [x, y] = [fieldsOf(rule), fieldsOf(other)]
  return x.every((value, i) => value === undefined || value === 0 || value === y[i])
}

function fieldsOf(rule: Rule): (string | number | undefined)[] {
  const { family, priority, from, to, iif, oif, mark, markMask, table, action = 'lookup', suppressPrefixLength } = rule
  const marked = mark !== undefined || markMask !== undefined
  return [
    family,
    priority,
    network(from),
    network(to),
    iif,
    oif,
    marked ? (mark ?? 0) : undefined,
    marked ? (markMask ?? WHOLE_MARK) : undefined,
    action === 'lookup' ? (table ?? MAIN_TABLE) : undefined,
    action,
    suppressPrefixLength,
  ]
}

/** Canonical, with prefix length; a prefix of length 0 is no condition. */
function network(prefix: string | undefined): string | undefined {
  if (prefix === undefined) return undefined
  const [ip = '', length = ip.includes(':') ? '128' : '32'] = prefix.split('/')
  return length === '0' ? undefined : `${canonicalIp(ip)}/${length}`
}
