import { constants } from 'node:os'
import type { PolicyRuleObject, Place } from '../../../contracts/kernel-objects.js'
import { AF_INET, AF_INET6 } from '../../addresses.js'
import { kernelError } from '../../errors.js'
import { NETLINK_ROUTE, type ObjectHandler, type TransactionContext } from '../../handler.js'
import { NLM_F_ACK, NLM_F_CREATE } from '../../netlink/writer.js'
import { inNamespace } from '../describe-place.js'
import { refuseUnknown } from '../input.js'
import { RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from '../message-types.js'
import { overlaps, sameRule } from './match.js'
import { familyOfRule, writeRule } from './message.js'
import { parseRule, priorityOf, type RuleFacts } from './parse.js'

const { EEXIST, ESRCH } = constants.errno
const CREATION = NLM_F_ACK | NLM_F_CREATE
const NAMES: ReadonlySet<string> = new Set<keyof PolicyRuleObject>([
  'kind',
  'at',
  'family',
  'priority',
  'from',
  'to',
  'iif',
  'oif',
  'mark',
  'markMask',
  'table',
  'action',
  'suppressPrefixLength',
  'invert',
])

export const policyRuleHandler: ObjectHandler<'policy-rule'> = {
  create(rule, context, replace) {
    refuseUnknown(rule, NAMES, 'a policy rule')
    // The kernel, asked for a new rule only (NLM_F_EXCL), takes one that says more for the same; asked to replace, it makes a second one.
    if (dumpRules(rule.at, context, familyOfRule(rule)).every((present) => !isRule(present, rule)))
      send(rule, RTM_NEWRULE, CREATION, context)
    else if (!replace) throw kernelError({ errno: EEXIST, operation: describeRule('create', rule) })
  },
  change(from, to, context) {
    refuseUnknown(to, NAMES, 'a policy rule')
    if (from.at === to.at && sameRule(from, to)) return
    // The new one first: there is never none.
    send(to, RTM_NEWRULE, CREATION, context)
    removeRule(from, context)
  },
  remove: removeRule,
  list: (at, context) =>
    [AF_INET, AF_INET6].flatMap((family) =>
      dumpRules(at, context, family).flatMap(({ facts }) => (facts === undefined ? [] : [{ kind: 'policy-rule', at, ...facts } as const])),
    ),
  describe: describeRule,
}

/** A rule as the kernel sent it, and what it says if libcnm has words for that. */
interface PresentRule {
  payload: Uint8Array
  facts?: RuleFacts
}

/**
 * The kernel removes the first rule that has the fields of the message, whatever else that has. Rules that come before
 * the one that is meant, and would be taken for it, are removed as well and put back.
 */
function removeRule(rule: PolicyRuleObject, context: TransactionContext): void {
  const present = dumpRules(rule.at, context, familyOfRule(rule)).filter(({ payload }) => priorityOf(payload) === rule.priority)
  const position = present.findIndex((each) => isRule(each, rule))
  if (position < 0) throw kernelError({ errno: ESRCH, operation: describeRule('delete', rule) })
  const inTheWay = present.slice(0, position).filter(({ facts }) => facts === undefined || overlaps(rule, facts))
  const writer = context.writer(rule.at, NETLINK_ROUTE)
  for (const { payload } of inTheWay) writer.begin(RTM_DELRULE, NLM_F_ACK).raw(payload).end()
  writeRule(writer, RTM_DELRULE, NLM_F_ACK, rule)
  for (const { payload } of inTheWay) writer.begin(RTM_NEWRULE, CREATION).raw(payload).end()
}

function send(rule: PolicyRuleObject, type: number, flags: number, context: TransactionContext): void {
  writeRule(context.writer(rule.at, NETLINK_ROUTE), type, flags, rule)
}

const isRule = ({ facts }: PresentRule, rule: PolicyRuleObject): boolean => facts !== undefined && sameRule(facts, rule)

function dumpRules(at: Place, context: TransactionContext, family: number): PresentRule[] {
  return context.socket(at, NETLINK_ROUTE).dump(
    RTM_GETRULE,
    // struct fib_rule_hdr
    (writer) => writer.u8(family).u8(0).u8(0).u8(0).u8(0).u8(0).u8(0).u8(0).u32(0),
    // Where a family is missing, the kernel answers with all others.
    ({ payload }) => (payload[0] === family ? { payload: payload.slice(), facts: parseRule(payload) } : undefined),
  )
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
