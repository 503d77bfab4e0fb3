import type { FirewallFamily } from '../../contracts/firewall.js'
import type { FirewallRule } from '../../contracts/firewall-rules.js'
import { compileRule } from './compile-rule.js'
import { decompileRule } from './decompile-rule.js'
import { asKernelElements } from './kernel-elements.js'

/**
 * The rule as a listing of the kernel would give it, so that the two can be compared.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT when it cannot be written down
 */
export function normalRule(rule: FirewallRule, family: FirewallFamily): FirewallRule {
  const program = compileRule(rule, family)
  const statements = decompileRule(program.instructions, family, (_name, id) => {
    const set = id === undefined ? undefined : program.sets[id - 1]
    return set && { interval: set.interval, elements: set.elements.flatMap(asKernelElements) }
  })
  return rule.comment === undefined ? { statements } : { statements, comment: rule.comment }
}
