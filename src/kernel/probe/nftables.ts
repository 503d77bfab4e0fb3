import { NETLINK_NETFILTER } from '../handler.js'
import { beginBatch, endBatch, exchangeBatch } from '../nftables/batch.js'
import { NLM_F_CREATE, type MessageWriter } from '../netlink/writer.js'
import type { FeatureName, Verdict } from './capabilities.js'
import { verdictOf } from './verdict.js'
import { EXPRESSIONS, type ProbedExpression } from './nftables-expressions.js'
import type { ProbeWorld } from './world.js'

// linux/netfilter/nf_tables.h; message types are of subsystem 10, nf_tables.
const NEWTABLE = 0x0a00
const NEWCHAIN = 0x0a03
const NEWRULE = 0x0a06
const NEWSET = 0x0a09
const NFPROTO_INET = 1
const NFPROTO_IPV4 = 2
const NFPROTO_BRIDGE = 7
const TABLE = 'probe'

/** Base chains: name, type, netfilter hook, priority. */
const CHAINS = {
  input: ['filter', 1, 0],
  prerouting: ['filter', 0, 0],
  'nat-pre': ['nat', 0, -100],
  'nat-post': ['nat', 4, 100],
} as const

export type ProbedChain = keyof typeof CHAINS

/**
 * One batch with a table, a chain and a rule for each asked expression. The kernel looks at every message of a batch,
 * also after a failed one, so each gets its own answer; the batch then has no effect.
 */
export function probeNftables(names: FeatureName[], world: ProbeWorld): Map<FeatureName, Verdict> {
  const socket = world.socket(NETLINK_NETFILTER)
  const writer = socket.writer()
  const labels: string[] = []
  beginBatch(writer)
  const say = (label: string, body: () => void): void => {
    labels.push(label)
    body()
  }
  say('nftables', () => table(writer, NFPROTO_IPV4))
  say('nft-bridge', () => table(writer, NFPROTO_BRIDGE))
  say('nft-inet', () => table(writer, NFPROTO_INET))
  for (const chain of Object.keys(CHAINS) as ProbedChain[]) say(chain, () => newChain(writer, chain))
  for (const name of names) {
    const expression = EXPRESSIONS[name]
    if (expression !== undefined) say(name, () => newRule(writer, expression))
  }
  if (names.includes('nft-concatenated-intervals')) say('nft-concatenated-intervals', () => concatenatedSet(writer))
  endBatch(writer)
  const { refused, changes } = exchangeBatch(socket, writer)
  const verdicts = new Map(labels.map((label, i) => [label, verdictOf(refused ?? changes[i])]))
  return new Map(names.map((name) => [name, judge(name, verdicts)]))
}

/** Without its table or chain, a rule fails for that reason, and not for its own. */
function judge(name: FeatureName, verdicts: Map<string, Verdict>): Verdict {
  const base = name === 'nftables' || name === 'nft-bridge' ? [] : ['nft-inet']
  const chain = EXPRESSIONS[name]?.chain
  const needed = [...base, ...(chain === undefined ? [] : [chain]), name]
  return needed.map((label) => verdicts.get(label)).find((verdict) => verdict?.available === false) ?? verdicts.get(name)!
}

function message(writer: MessageWriter, type: number, family: number, body: () => void): void {
  // struct nfgenmsg: family, version, resource id
  writer.begin(type, NLM_F_CREATE).u8(family).u8(0).u16be(0)
  body()
  writer.end()
}

function table(writer: MessageWriter, family: number): void {
  message(writer, NEWTABLE, family, () => writer.attrString(1, TABLE))
}

function newChain(writer: MessageWriter, name: ProbedChain): void {
  const [type, hook, priority] = CHAINS[name]
  message(writer, NEWCHAIN, NFPROTO_INET, () => {
    // NFTA_CHAIN_TABLE, NAME, HOOK (NUM, PRIORITY), TYPE
    writer.attrString(1, TABLE).attrString(3, name)
    writer.nest(4, () => writer.attrU32be(1, hook).attrU32be(2, priority >>> 0))
    writer.attrString(7, type)
  })
}

function newRule(writer: MessageWriter, { chain, expressions }: ProbedExpression): void {
  message(writer, NEWRULE, NFPROTO_INET, () => {
    // NFTA_RULE_TABLE, CHAIN, EXPRESSIONS: a list of elements of name and data
    writer.attrString(1, TABLE).attrString(2, chain)
    writer.nest(4, () => {
      for (const [name, data] of expressions) {
        writer.nest(1, () => {
          writer.attrString(1, name)
          writer.nest(2, () => data?.(writer))
        })
      }
    })
  })
}

/** A set of pairs of ranges: NFT_SET_INTERVAL | NFT_SET_CONCAT. */
function concatenatedSet(writer: MessageWriter): void {
  message(writer, NEWSET, NFPROTO_INET, () => {
    // NFTA_SET_TABLE, NAME, FLAGS, KEY_TYPE, KEY_LEN, ID, DESC (CONCAT: a list of elements of FIELD_LEN)
    writer.attrString(1, TABLE).attrString(2, 'ranges').attrU32be(3, 0x84).attrU32be(4, 0).attrU32be(5, 8).attrU32be(10, 1)
    writer.nest(9, () => {
      writer.nest(2, () => {
        for (let field = 0; field < 2; field++) writer.nest(1, () => writer.attrU32be(1, 4))
      })
    })
  })
}
