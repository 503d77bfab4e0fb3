import type { FirewallFamily } from '../../contracts/firewall.js'
import type { Match, Statement } from '../../contracts/firewall-rules.js'
import { CnmError } from '../../contracts/errors.js'
import { ProtocolContext } from './protocols.js'
import { requiredProtocols } from './required-protocols.js'

/** No field implies more matches than these: network and transport protocol, or link and VLAN. */
const MOST = 4

/** Leaves out the matches that writing the rule down again would put back in the same place. */
export function withoutImplied(statements: readonly Statement[], family: FirewallFamily): Statement[] {
  const kept: Statement[] = []
  /** What the rule knows before each kept statement, and after the last one. */
  const contexts = [new ProtocolContext(family)]
  for (const statement of statements) {
    const count = impliedCount(kept, contexts, statement)
    kept.length -= count
    contexts.length -= count
    const context = contexts[contexts.length - 1]!.copy()
    implied(context, statement)
    if ('match' in statement) context.learn(statement.match)
    kept.push(statement)
    contexts.push(context)
  }
  return kept
}

/** How many of the last kept statements `statement` implies. */
function impliedCount(kept: readonly Statement[], contexts: readonly ProtocolContext[], statement: Statement): number {
  for (let count = Math.min(MOST, kept.length); count > 0; count--) {
    const before = contexts[contexts.length - 1 - count]!.copy()
    const wanted = implied(before, statement).map((match): Statement => ({ match }))
    if (wanted.length === count && JSON.stringify(wanted) === JSON.stringify(kept.slice(-count))) return count
  }
  return 0
}

/** The matches that must come before the statement; the context learns of them. */
function implied(context: ProtocolContext, statement: Statement): Match[] {
  try {
    return requiredProtocols(statement).flatMap((protocol) => context.need(protocol))
  } catch (error) {
    // A rule of somebody else may ask for what no packet has; nothing is implied then.
    if (error instanceof CnmError) return []
    throw error
  }
}
