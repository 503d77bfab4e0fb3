import { constants } from 'node:os'
import type { PolicyRuleObject, Place } from '../../../contracts/kernel-objects.js'
import { AF_INET, AF_INET6 } from '../../addresses.js'
import { kernelError } from '../../errors.js'
import { NETLINK_ROUTE, type ObjectHandler, type TransactionContext } from '../../handler.js'
import { NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL } from '../../netlink/writer.js'
import { inNamespace } from '../describe-place.js'
import { refuseUnknown } from '../input.js'
import { RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from '../message-types.js'
import { overlaps, sameRule } from './match.js'
import { familyOfRule, writeRule } from './message.js'
import { parseRule } from './parse.js'

const { ESRCH } = constants.errno
const CREATION = NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL
const NAMES: ReadonlySet<string> = new Set<keyof PolicyRuleObject>([
  'kind', 'at', 'family', 'priority', 'from', 'to', 'iif', 'oif', 'mark', 'markMask', 'table', 'action', 'suppressPrefixLength', 'invert',
])

export const policyRuleHandler: ObjectHandler<'policy-rule'> = {
  create(rule, context, replace) {
    refuseUnknown(rule, NAMES, 'a policy rule')
    // Every field is part of what a rule is: to overwrite one is to leave it. The kernel would make a second one.
    if (replace && listRules(rule.at, context, familyOfRule(rule)).some((present) => sameRule(present, rule))) return
    send(rule, RTM_NEWRULE, CREATION, context)
  },
  change(from, to, context) {
    refuseUnknown(to, NAMES, 'a policy rule')
    if (from.at === to.at && sameRule(from, to)) return
    // Between the two there is never no rule.
    send(to, RTM_NEWRULE, CREATION, context)
    removeRule(from, context)
  },
  remove: removeRule,
  list: (at, context) => [...listRules(at, context, AF_INET), ...listRules(at, context, AF_INET6)],
  describe: describeRule,
}

/**
 * The kernel removes the first rule that has the fields of the message, whatever else that has. Rules that come before
 * the one that is meant, and would be taken for it, are removed as well and put back.
 */
function removeRule(rule: PolicyRuleObject, context: TransactionContext): void {
  const present = listRules(rule.at, context, familyOfRule(rule)).filter(({ priority }) => priority === rule.priority)
  const position = present.findIndex((each) => sameRule(each, rule))
  if (position < 0) throw kernelError({ errno: ESRCH, operation: describeRule('delete', rule) })
  const inTheWay = present.slice(0, position).filter((each) => overlaps(rule, each))
  for (const each of [...inTheWay, rule]) send(each, RTM_DELRULE, NLM_F_ACK, context)
  for (const each of inTheWay) send(each, RTM_NEWRULE, CREATION, context)
}

function send(rule: PolicyRuleObject, type: number, flags: number, context: TransactionContext): void {
  writeRule(context.writer(rule.at, NETLINK_ROUTE), type, flags, rule)
}

function listRules(at: Place, context: TransactionContext, family: number): PolicyRuleObject[] {
  const found = context.socket(at, NETLINK_ROUTE).dump(
    RTM_GETRULE,
    (writer) => writer.u8(family).u8(0).u8(0).u8(0).u8(0).u8(0).u8(0).u8(0).u32(0),
    // Where a family is missing, the kernel answers with all others.
    ({ payload }) => (payload[0] === family ? parseRule(payload) : undefined),
  )
  return found.map((facts) => ({ kind: 'policy-rule', at, ...facts }))
}

function describeRule(action: 'create' | 'change' | 'delete', rule: PolicyRuleObject): string {
  const { at, family, priority, from = 'all', to, iif, oif, mark, table, action: verdict } = rule
  const words = [
    `${inNamespace('ip', at)}${family === 6 ? ' -6' : ''} rule ${action === 'delete' ? 'delete' : 'add'} priority ${priority}`,
    `${rule.invert === true ? ' not' : ''} from ${from}`,
    to === undefined ? '' : ` to ${to}`,
    iif === undefined ? '' : ` iif ${iif}`,
    oif === undefined ? '' : ` oif ${oif}`,
    mark === undefined ? '' : ` fwmark ${mark}`,
    verdict === undefined || verdict === 'lookup' ? ` lookup ${table ?? 'main'}` : ` ${verdict}`,
  ]
  return words.join('')
}
