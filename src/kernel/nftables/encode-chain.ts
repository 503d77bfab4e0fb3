import type { BaseChain, FirewallChain } from '../../contracts/firewall.js'
import type { FirewallRule } from '../../contracts/firewall-rules.js'
import { NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL, type MessageWriter } from '../netlink/writer.js'
import { ANONYMOUS_MAP, ANONYMOUS_SET } from './compile-lookup.js'
import { CompiledRules } from './compiled-rules.js'
import { writeElements } from './encode-elements.js'
import { encodeAnonymousSet } from './encode-set.js'
import { hookNumber } from './hooks.js'
import { writeInstructions } from './instruction-writer.js'
import { beginMessage, CHAIN, DELCHAIN, DELRULE, HOOK, NEWCHAIN, NEWRULE, NEWSETELEM, RULE } from './messages.js'
import { checkComment, checkName } from './names.js'
import type { Program } from './program.js'
import { onlyKeys, refusal, within } from './refusal.js'
import { commentData, UDATA_COMMENT } from './userdata.js'

const POLICIES = { drop: 0, accept: 1 } as const
const TYPES: readonly string[] = ['filter', 'nat', 'route'] satisfies BaseChain['type'][]

/** What is written of a chain and its rules, checked before the first byte. */
export interface PreparedChain {
  chain: FirewallChain
  rules: { program: Program; comment: string | undefined }[]
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT with the path of the field: `rules[2].statements[0].match.right` */
export function prepareChain(chain: FirewallChain, compiled = new CompiledRules()): PreparedChain {
  onlyKeys(chain, ['kind', 'at', 'family', 'table', 'name', 'base', 'comment', 'rules'], 'chain')
  checkName(chain.table, 'table')
  checkName(chain.name, 'name')
  checkComment(chain.comment, 'comment')
  if (chain.base !== undefined) checkBase(chain, chain.base)
  if (chain.rules !== undefined && !Array.isArray(chain.rules)) throw refusal('rules', 'a list is needed')
  return { chain, rules: (chain.rules ?? []).map((rule, i) => within(`rules[${i}]`, () => prepareRule(rule, chain, compiled))) }
}

function prepareRule(rule: FirewallRule, { family }: FirewallChain, compiled: CompiledRules): PreparedChain['rules'][number] {
  return { program: compiled.compile(rule, family), comment: checkComment(rule.comment, 'comment') }
}

function checkBase({ family }: FirewallChain, base: BaseChain): void {
  onlyKeys(base, ['type', 'hook', 'priority', 'policy', 'device'], 'base')
  if (!TYPES.includes(base.type)) throw refusal('base.type', `must be one of ${TYPES.join(', ')}`)
  if (hookNumber(family, base.hook) === undefined) throw refusal('base.hook', `${family} tables have no hook ${JSON.stringify(base.hook)}`)
  if (!Number.isInteger(base.priority) || Math.abs(base.priority) > 0x7fffffff)
    throw refusal('base.priority', 'a whole number of 32 bits is needed')
  if (base.policy !== undefined && base.policy !== 'accept' && base.policy !== 'drop')
    throw refusal('base.policy', 'must be accept or drop')
  const onDevice = base.hook === 'ingress' || base.hook === 'egress'
  if (onDevice !== (base.device !== undefined)) throw refusal('base.device', 'is for ingress and egress chains, which need it')
}

/** `nft add chain`, without rules. @param exclusive The chain must not exist; otherwise one at the same hook may. */
export function encodeChain(writer: MessageWriter, { chain }: PreparedChain, exclusive: boolean): void {
  const { base } = chain
  beginMessage(writer, NEWCHAIN, NLM_F_CREATE | (exclusive ? NLM_F_EXCL : 0), chain.family)
  writer.attrString(CHAIN.table, chain.table).attrString(CHAIN.name, chain.name)
  if (base !== undefined) {
    const hook = hookNumber(chain.family, base.hook) ?? 0
    writer.nest(CHAIN.hook, () => {
      writer.attrU32be(HOOK.number, hook).attrU32be(HOOK.priority, base.priority >>> 0)
      if (base.device !== undefined) writer.attrString(HOOK.device, base.device)
    })
    writer.attrU32be(CHAIN.policy, POLICIES[base.policy ?? 'accept']).attrString(CHAIN.type, base.type)
  }
  const comment = commentData(UDATA_COMMENT.chain, chain.comment)
  if (comment !== undefined) writer.attrBytes(CHAIN.userdata, comment)
  writer.end()
}

export function encodePolicy(writer: MessageWriter, chain: FirewallChain, policy: 'accept' | 'drop'): void {
  beginMessage(writer, NEWCHAIN, 0, chain.family).attrString(CHAIN.table, chain.table).attrString(CHAIN.name, chain.name)
  writer.attrU32be(CHAIN.policy, POLICIES[policy]).end()
}

/** `nft add rule`, for all rules of the chain, each after the sets that belong to it. */
export function encodeRules(writer: MessageWriter, { chain, rules }: PreparedChain): void {
  for (const { program, comment } of rules) {
    const idBase = writer.nextSequence
    for (const set of program.sets) {
      const setId = (idBase + set.id) >>> 0
      encodeAnonymousSet(writer, chain.family, chain.table, set, setId)
      const name = set.data === undefined ? ANONYMOUS_SET : ANONYMOUS_MAP
      writeElements(writer, NEWSETELEM, NLM_F_CREATE, { family: chain.family, table: chain.table, set: name, setId }, set.elements)
    }
    beginMessage(writer, NEWRULE, NLM_F_CREATE | NLM_F_APPEND, chain.family)
      .attrString(RULE.table, chain.table)
      .attrString(RULE.chain, chain.name)
    writer.nest(RULE.expressions, () => writeInstructions(writer, program.instructions, idBase))
    const userData = commentData(UDATA_COMMENT.rule, comment)
    if (userData !== undefined) writer.attrBytes(RULE.userdata, userData)
    writer.end()
  }
}

/** `nft flush chain` */
export function encodeFlush(writer: MessageWriter, { family, table, name }: FirewallChain): void {
  beginMessage(writer, DELRULE, 0, family).attrString(RULE.table, table).attrString(RULE.chain, name).end()
}

/** `nft delete chain`, with its rules. */
export function encodeChainRemoval(writer: MessageWriter, { family, table, name }: FirewallChain): void {
  beginMessage(writer, DELCHAIN, 0, family)
    .attrString(CHAIN.table, checkName(table, 'table'))
    .attrString(CHAIN.name, checkName(name, 'name'))
    .end()
}
