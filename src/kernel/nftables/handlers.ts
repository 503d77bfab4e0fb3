import { isDeepStrictEqual } from 'node:util'
import type { FirewallChain, FirewallElement, FirewallObject, FirewallSet, FirewallTable } from '../../contracts/firewall.js'
import { CnmError } from '../../contracts/errors.js'
import type { Place } from '../../contracts/kernel-objects.js'
import { NETLINK_NETFILTER, type ObjectHandler, type TransactionContext } from '../handler.js'
import { NLM_F_CREATE, NLM_F_EXCL, type MessageWriter } from '../netlink/writer.js'
import { CompiledRules } from './compiled-rules.js'
import { describeFirewall } from './describe.js'
import {
  encodeChain,
  encodeChainRemoval,
  encodeFlush,
  encodePolicy,
  encodeRules,
  prepareChain,
  type PreparedChain,
} from './encode-chain.js'
import { encodeElement, listOf, shapeLayout, writeElements } from './encode-elements.js'
import { encodeSet, encodeSetRemoval } from './encode-set.js'
import { encodeTable, encodeTableRemoval } from './encode-table.js'
import { listChains, listElements, listSets, listTables, type ListOptions } from './list.js'
import { DELSETELEM, NEWSETELEM } from './messages.js'
import { normalFirewall } from './normal-objects.js'
import { readChain, readElement, readSet, readTable } from './read.js'

/** Everything written here is part of one batch of the namespace, see batch.ts. */
const writer = (context: TransactionContext, at: Place): MessageWriter => context.writer(at, NETLINK_NETFILTER)

const listOptions = (at: Place, context: TransactionContext, tables?: readonly string[]): ListOptions => ({
  socket: context.socket(at, NETLINK_NETFILTER),
  at,
  ...(tables && { tables }),
})

const tableHandler: ObjectHandler<'nft-table'> = {
  create: (table, context, replace) => encodeTable(writer(context, table.at), table, !replace),
  change: (from, to) => unchanged(from, to),
  remove: (table, context) => encodeTableRemoval(writer(context, table.at), table),
  list: (at, context, tables) => listTables(listOptions(at, context, tables)),
  read: (table, context) => readTable(listOptions(table.at, context), table),
  describe: describeFirewall,
}

const chainHandler: ObjectHandler<'nft-chain'> = {
  create(chain, context, replace) {
    const prepared = prepareChain(chain, context.kept(CompiledRules))
    const present = replace ? readChain(listOptions(chain.at, context), chain) : undefined
    if (present === undefined) encodeWhole(writer(context, chain.at), prepared)
    else encodeChange(writer(context, chain.at), present, prepared)
  },
  change(from, to, context) {
    if (from.comment !== to.comment && from.base === undefined) unchanged(from, { ...to, rules: from.rules })
    encodeChange(writer(context, to.at), from, prepareChain(to, context.kept(CompiledRules)))
  },
  remove: (chain, context) => encodeChainRemoval(writer(context, chain.at), chain),
  list: (at, context, tables) => listChains(listOptions(at, context, tables)),
  read: (chain, context) => readChain(listOptions(chain.at, context), chain),
  describe: describeFirewall,
}

function encodeWhole(out: MessageWriter, prepared: PreparedChain): void {
  encodeChain(out, prepared, true)
  encodeRules(out, prepared)
}

/** Rules are put in all anew; a chain at another hook is another chain (nothing jumps to a base chain). */
function encodeChange(out: MessageWriter, from: FirewallChain, prepared: PreparedChain): void {
  const { chain } = prepared
  const [{ policy: before = 'accept', ...hookBefore }, { policy: after = 'accept', ...hookAfter }] = [
    from.base ?? {},
    chain.base ?? {},
  ] as const
  if (!isDeepStrictEqual(hookBefore, hookAfter) || (chain.base !== undefined && from.comment !== chain.comment)) {
    encodeChainRemoval(out, from)
    encodeWhole(out, prepared)
    return
  }
  if (before !== after) encodePolicy(out, chain, after)
  if (chain.rules === undefined) return
  encodeFlush(out, chain)
  encodeRules(out, prepared)
}

const setHandler: ObjectHandler<'nft-set'> = {
  create: (set, context, replace) => encodeSet(writer(context, set.at), set, !replace),
  change: (from, to) => unchanged(from, to),
  remove: (set, context) => encodeSetRemoval(writer(context, set.at), set),
  list: (at, context, tables) => listSets(listOptions(at, context, tables)),
  read: (set, context) => readSet(listOptions(set.at, context), set),
  describe: describeFirewall,
}

const elementHandler: ObjectHandler<'nft-element'> = {
  create(element, context, replace) {
    const present = replace ? readElement(listOptions(element.at, context), element) : undefined
    if (present === undefined) encodeOne(writer(context, element.at), NEWSETELEM, element)
    else replaceElement(present, element, context)
  },
  change: (from, to, context) => replaceElement(from, to, context),
  remove: (element, context) => encodeOne(writer(context, element.at), DELSETELEM, element),
  list: (at, context, tables) => listElements(listOptions(at, context, tables)),
  read: (element, context) => readElement(listOptions(element.at, context), element),
  describe: describeFirewall,
}

/** The kernel cannot change an element; within one batch nobody sees it missing. */
function replaceElement(from: FirewallElement, to: FirewallElement, context: TransactionContext): void {
  const out = writer(context, to.at)
  encodeOne(out, DELSETELEM, from)
  encodeOne(out, NEWSETELEM, to)
}

function encodeOne(out: MessageWriter, type: number, element: FirewallElement): void {
  const encoded = encodeElement(element, shapeLayout(element.set))
  if (type === NEWSETELEM) return writeElements(out, type, NLM_F_CREATE | NLM_F_EXCL, listOf(element), [encoded])
  const { data: _data, comment: _comment, timeout: _timeout, ...key } = encoded
  writeElements(out, type, 0, listOf(element), [key])
}

/** @throws CnmError ERR_CNM_NOT_SUPPORTED when the two differ */
function unchanged(from: FirewallTable | FirewallSet | FirewallChain, to: FirewallTable | FirewallSet | FirewallChain): void {
  const [before, after] = [normalFirewall(from), normalFirewall(to)] as unknown as [Record<string, unknown>, Record<string, unknown>]
  const field = [...new Set([...Object.keys(before), ...Object.keys(after)])].find((key) => !isDeepStrictEqual(before[key], after[key]))
  if (field === undefined) return
  throw new CnmError('ERR_CNM_NOT_SUPPORTED', `${field} of ${to.kind.slice('nft-'.length)} ${to.name} cannot be changed, only made anew`, {
    field,
    operation: describeFirewall('change', to),
  })
}

/** Handlers of the kinds of {@link FirewallObject}. */
export const firewallHandlers: { readonly [K in FirewallObject['kind']]: ObjectHandler<K> } = {
  'nft-table': tableHandler,
  'nft-chain': chainHandler,
  'nft-set': setHandler,
  'nft-element': elementHandler,
}
