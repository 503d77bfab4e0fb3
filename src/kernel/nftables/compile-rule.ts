import type { FirewallFamily } from '../../contracts/firewall.js'
import type { FirewallRule } from '../../contracts/firewall-rules.js'
import { compileMatch } from './compile-match.js'
import { compileStatement } from './compile-statement.js'
import { Program } from './program.js'
import { ProtocolContext } from './protocols.js'
import { onlyKeys, refusal, within } from './refusal.js'
import { requiredProtocols } from './required-protocols.js'

/**
 * The instructions of a rule, and the sets that belong to it alone.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT with the path of the field: `statements[0].match.right`
 */
export function compileRule(rule: FirewallRule, family: FirewallFamily): Program {
  onlyKeys(rule, ['statements', 'comment'], 'rule')
  if (!Array.isArray(rule.statements)) throw refusal('statements', 'a list is needed')
  const program = new Program(family)
  const protocols = new ProtocolContext(family)
  rule.statements.forEach((statement, i) => {
    within(`statements[${i}]`, () => {
      if (typeof statement !== 'object' || statement === null) throw refusal('statement', 'an object is needed')
      for (const protocol of requiredProtocols(statement)) {
        for (const match of protocols.need(protocol)) compileMatch(program, match, 'match')
      }
      compileStatement(program, statement)
    })
    if ('match' in statement) protocols.learn(statement.match)
  })
  return program
}
