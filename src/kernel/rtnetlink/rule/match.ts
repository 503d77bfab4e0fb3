import type { PolicyRuleObject } from '../../../contracts/kernel-objects.js'
import { canonicalIp } from '../../addresses.js'
import { MAIN_TABLE, WHOLE_MARK } from './message.js'

/** Whether both are the same rule: all fields. */
export function sameRule(a: PolicyRuleObject, b: PolicyRuleObject): boolean {
  const [x, y] = [fieldsOf(a), fieldsOf(b)]
  return x.every((value, i) => value === y[i])
}

/** Whether the kernel, asked to remove `rule`, may remove `other`: what `rule` does not say matches anything. */
export function overlaps(rule: PolicyRuleObject, other: PolicyRuleObject): boolean {
  const [x, y] = [fieldsOf(rule), fieldsOf(other)]
  return x.every((value, i) => value === undefined || value === y[i])
}

function fieldsOf(rule: PolicyRuleObject): unknown[] {
  const { family, priority, from, to, iif, oif, mark, markMask, table, action = 'lookup', suppressPrefixLength, invert = false } = rule
  const marked = mark !== undefined || markMask !== undefined
  return [
    family, priority, network(from), network(to), iif, oif, marked ? (mark ?? 0) : undefined, marked ? (markMask ?? WHOLE_MARK) : undefined,
    action === 'lookup' ? (table ?? MAIN_TABLE) : undefined, action, suppressPrefixLength, invert,
  ]
}

/** Canonical, with prefix length; a prefix of length 0 is no condition. */
function network(prefix: string | undefined): string | undefined {
  if (prefix === undefined) return undefined
  const [ip = '', length = ip.includes(':') ? '128' : '32'] = prefix.split('/')
  return length === '0' ? undefined : `${canonicalIp(ip)}/${length}`
}
