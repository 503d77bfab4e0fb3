import type { FirewallRule } from '../../contracts/firewall-rules.js'
import { dumpChains, dumpTables } from './dump.js'
import { chainsOf, type ListOptions } from './list.js'

/** A chain that drops forwarded packets, unless one of its rules accepts them. */
export interface ForwardDrop {
  family: 'ip' | 'ip6' | 'inet'
  table: string
  chain: string
  /** `policy`: of the chain; `last rule`: it drops or rejects whatever comes to it. */
  why: 'policy' | 'last rule'
}

/**
 * The chains of a namespace where forwarded packets end when no rule accepts them. A packet must get through all tables:
 * what one of them accepts, another may still drop.
 */
export function forwardDrops(options: ListOptions): ForwardDrop[] {
  const drops: ForwardDrop[] = []
  for (const { family, name: table } of dumpTables(options.socket, options.at)) {
    if (family !== 'ip' && family !== 'ip6' && family !== 'inet') continue
    for (const { name: chain, base } of dumpChains(options.socket, { family, table })) {
      if (base?.hook !== 'forward') continue
      if (base.policy === 'drop') drops.push({ family, table, chain, why: 'policy' })
      else if (endsInDrop(chainsOf(options, { family, table }, chain)[0]?.rules)) drops.push({ family, table, chain, why: 'last rule' })
    }
  }
  return drops
}

function endsInDrop(rules: readonly FirewallRule[] = []): boolean {
  const statements = rules.at(-1)?.statements ?? []
  const conditional = statements.some(
    (statement) => 'match' in statement || 'vmap' in statement || 'limit' in statement || 'raw' in statement,
  )
  return !conditional && statements.some((statement) => 'drop' in statement || 'reject' in statement)
}
