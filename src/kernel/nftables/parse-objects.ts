/**
 * Tables, chains and rules from the kernel's messages (after the netlink header). Pure; broken bytes give `undefined`
 * or an object with what could be read.
 */
import type { BaseChain, FirewallFamily, FirewallTable } from '../../contracts/firewall.js'
import type { Place } from '../../contracts/kernel-objects.js'
import { attributeMap, attributes, text, u32be, u8 } from '../netlink/reader.js'
import { hookName } from './hooks.js'
import { readInstructions } from './instruction-reader.js'
import type { KernelExpression } from './kernel-expressions.js'
import { CHAIN, familyName, HEADER, HOOK, RULE, TABLE } from './messages.js'
import { readText, readUserData, UDATA_COMMENT } from './userdata.js'

const GEN_ID = 1
const POLICY_DROP = 0
const CHAIN_TYPES: readonly string[] = ['filter', 'nat', 'route'] satisfies BaseChain['type'][]

/** NFT_MSG_NEWGEN: number of the ruleset, changed by every batch. */
export function parseGeneration(payload: Uint8Array): number | undefined {
  const id = attributeMap(payload, HEADER).get(GEN_ID)
  return id === undefined ? undefined : u32be(id)
}

export function parseTable(payload: Uint8Array, at: Place): FirewallTable | undefined {
  const family = familyName(u8(payload))
  const parts = attributeMap(payload, HEADER)
  const name = parts.get(TABLE.name)
  if (family === undefined || name === undefined) return undefined
  const comment = readText(readUserData(parts.get(TABLE.userdata)).get(UDATA_COMMENT.table))
  return { kind: 'nft-table', at, family, name: text(name), ...(comment !== undefined && { comment }) }
}

export interface ParsedChain {
  family: FirewallFamily
  table: string
  name: string
  base?: BaseChain
  comment?: string
}

export function parseChain(payload: Uint8Array): ParsedChain | undefined {
  const family = familyName(u8(payload))
  const parts = attributeMap(payload, HEADER)
  const [table, name] = [parts.get(CHAIN.table), parts.get(CHAIN.name)]
  if (family === undefined || table === undefined || name === undefined) return undefined
  const base = parseBase(family, parts)
  const comment = readText(readUserData(parts.get(CHAIN.userdata)).get(UDATA_COMMENT.chain))
  return { family, table: text(table), name: text(name), ...(base && { base }), ...(comment !== undefined && { comment }) }
}

function parseBase(family: FirewallFamily, parts: Map<number, Uint8Array>): BaseChain | undefined {
  const hook = parts.get(CHAIN.hook)
  if (hook === undefined) return undefined
  const details = attributeMap(hook)
  const name = hookName(family, u32be(details.get(HOOK.number) ?? new Uint8Array()))
  const type = text(parts.get(CHAIN.type) ?? new Uint8Array())
  if (name === undefined || !CHAIN_TYPES.includes(type)) return undefined
  const device = hookDevice(details)
  const policy = parts.get(CHAIN.policy)
  return {
    type: type as BaseChain['type'],
    hook: name,
    priority: u32be(details.get(HOOK.priority) ?? new Uint8Array()) | 0,
    ...(policy !== undefined && u32be(policy) === POLICY_DROP && { policy: 'drop' }),
    ...(device !== undefined && { device }),
  }
}

/** The kernel tells one device, or a list that may have one. */
function hookDevice(details: Map<number, Uint8Array>): string | undefined {
  const single = details.get(HOOK.device)
  if (single !== undefined) return text(single)
  for (const { value } of attributes(details.get(HOOK.devices) ?? new Uint8Array())) return text(value)
  return undefined
}

export interface ParsedRule {
  family: FirewallFamily
  table: string
  chain: string
  instructions: KernelExpression[]
  comment?: string
}

export function parseRule(payload: Uint8Array): ParsedRule | undefined {
  const family = familyName(u8(payload))
  const parts = attributeMap(payload, HEADER)
  const [table, chain] = [parts.get(RULE.table), parts.get(RULE.chain)]
  if (family === undefined || table === undefined || chain === undefined) return undefined
  const comment = readText(readUserData(parts.get(RULE.userdata)).get(UDATA_COMMENT.rule))
  const instructions = readInstructions(parts.get(RULE.expressions) ?? new Uint8Array())
  return { family, table: text(table), chain: text(chain), instructions, ...(comment !== undefined && { comment }) }
}
