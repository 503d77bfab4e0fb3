import type { FirewallFamily } from '../../contracts/firewall.js'
import type { FirewallRule } from '../../contracts/firewall-rules.js'
import { compileRule } from './compile-rule.js'
import type { Program } from './program.js'

/** More than a host has that are the same for many; what is particular to one endpoint is only passing through. */
const MOST = 256

/** Rules that were compiled before: those of one sandbox are those of the next, and writing them takes a tenth of compiling them. */
export class CompiledRules {
  readonly #programs = new Map<string, Program>()

  /** @throws CnmError ERR_CNM_INVALID_ARGUMENT, as {@link compileRule} */
  compile(rule: FirewallRule, family: FirewallFamily): Program {
    const text = `${family} ${JSON.stringify({ ...rule, comment: undefined })}`
    const known = this.#programs.get(text)
    if (known !== undefined) return known
    const program = compileRule(rule, family)
    if (this.#programs.size === MOST) this.#programs.clear()
    this.#programs.set(text, program)
    return program
  }
}
