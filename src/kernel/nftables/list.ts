/**
 * The ruleset of a namespace as objects in normal form. All of it comes from fresh dumps; tables that are not asked
 * for are not read.
 */
import type { FirewallChain, FirewallElement, FirewallSet, FirewallTable } from '../../contracts/firewall.js'
import type { FirewallRule } from '../../contracts/firewall-rules.js'
import type { Place } from '../../contracts/kernel-objects.js'
import type { NetlinkSocket } from '../netlink/socket.js'
import { decompileRule } from './decompile-rule.js'
import { consistently, dumpChains, dumpElements, dumpRules, dumpSets, dumpTables, type TableName } from './dump.js'
import { firewallElements } from './parse-elements.js'
import type { ParsedRule } from './parse-objects.js'
import type { ParsedSet } from './parse-set.js'
import type { RuleSet } from './reading.js'

export interface ListOptions {
  socket: NetlinkSocket
  at: Place
  /** Only these, each as `inet cnm`; absent: all. */
  tables?: readonly string[]
}

export function listTables({ socket, at, tables }: ListOptions): FirewallTable[] {
  return dumpTables(socket, at).filter(({ family, name }) => tables === undefined || tables.includes(`${family} ${name}`))
}

export function listChains(options: ListOptions): FirewallChain[] {
  return perTable(options, (table) => chainsOf(options, table))
}

export function listSets(options: ListOptions): FirewallSet[] {
  return perTable(options, (table) => namedSets(options, table))
}

export function listElements(options: ListOptions): FirewallElement[] {
  const { socket } = options
  return perTable(options, (table) =>
    namedSets(options, table).flatMap((set) => firewallElements(set, dumpElements(socket, set)).map(({ element }) => element)),
  )
}

function perTable<T>(options: ListOptions, body: (table: TableName) => T[]): T[] {
  const { socket } = options
  return consistently(socket, () => listTables(options).flatMap(({ family, name }) => body({ family, table: name })))
}

export function namedSets({ socket, at }: ListOptions, table: TableName): FirewallSet[] {
  return dumpSets(socket, table, at).flatMap(({ set, anonymous }) => (anonymous ? [] : [set]))
}

/** @param only the name of one chain */
export function chainsOf({ socket, at }: ListOptions, table: TableName, only?: string): FirewallChain[] {
  const chains = dumpChains(socket, table).filter(({ name }) => only === undefined || name === only)
  const findSet = ruleSets(socket, dumpSets(socket, table, at))
  const rules = new Map<string, FirewallRule[]>(chains.map(({ name }) => [name, []]))
  for (const rule of dumpRules(socket, table, only)) rules.get(rule.chain)?.push(ruleOf(rule, findSet))
  return chains.map(({ name, base, comment, ...where }): FirewallChain => ({
    kind: 'nft-chain',
    at,
    ...where,
    name,
    ...(base && { base }),
    ...(comment !== undefined && { comment }),
    rules: rules.get(name) ?? [],
  }))
}

function ruleOf({ instructions, family, comment }: ParsedRule, findSet: (name: string) => RuleSet | undefined): FirewallRule {
  const statements = decompileRule(instructions, family, findSet)
  return comment === undefined ? { statements } : { statements, comment }
}

/** Sets that belong to rules, their elements read when a rule uses them. */
export function ruleSets(socket: NetlinkSocket, sets: readonly ParsedSet[]): (name: string) => RuleSet | undefined {
  const anonymous = new Map(sets.filter((each) => each.anonymous).map(({ set }) => [set.name, set]))
  const known = new Map<string, RuleSet>()
  return (name) => {
    const set = anonymous.get(name)
    if (set === undefined) return undefined
    let found = known.get(name)
    if (found === undefined) {
      found = { interval: set.flags?.includes('interval') ?? false, elements: dumpElements(socket, set) }
      known.set(name, found)
    }
    return found
  }
}
