import { macToBytes, macToText } from '../../addresses.js'
import { attributes, attributeTable, i32, u32 } from '../../netlink/reader.js'
import { NLA_F_NESTED, type MessageWriter } from '../../netlink/writer.js'
import { attrMac } from '../address-attributes.js'
import { integer, invalid, numberOf, wordOf } from '../input.js'
import type { LinkKind, LinkOf } from './kind.js'
import { sameParent, unchangeable } from './unchangeable.js'

const IFLA_MACVLAN_MODE = 1
const IFLA_MACVLAN_MACADDR_MODE = 3
const IFLA_MACVLAN_MACADDR = 4
const IFLA_MACVLAN_MACADDR_DATA = 5
const IFLA_MACVLAN_BC_QUEUE_LEN = 7
const IFLA_MACVLAN_BC_CUTOFF = 9
/** Replaces the whole list. */
const MACVLAN_MACADDR_SET = 3

const MODE = { private: 1, vepa: 2, bridge: 4, passthru: 8, source: 16 } as const
/** Docker's; the kernel's own is vepa, so the mode is always sent. */
const DEFAULT_MODE = 'bridge'
const QUEUE_LENGTH = 1000
/** What the kernel starts with, where it knows the option. */
export const MACVLAN_CUTOFF = 1
const MAX_I32 = 0x7fffffff

type Macvlan = LinkOf<'macvlan'>

export const macvlan: LinkKind<Macvlan> = {
  options: ['parent', 'mode', 'sourceMacs', 'broadcastQueueLength', 'broadcastCutoff'],
  write(writer, link) {
    writer.attrU32(IFLA_MACVLAN_MODE, numberOf(link.mode ?? DEFAULT_MODE, MODE, 'mode'))
    if (link.sourceMacs !== undefined) writeSources(writer, link)
    if (link.broadcastQueueLength !== undefined)
      writer.attrU32(IFLA_MACVLAN_BC_QUEUE_LEN, integer(link.broadcastQueueLength, 'broadcastQueueLength'))
    if (link.broadcastCutoff !== undefined) writeCutoff(writer, link.broadcastCutoff)
  },
  differs(from, to) {
    if (!sameParent(from, to)) throw unchangeable(to, 'the parent')
    return (
      (from.mode ?? DEFAULT_MODE) !== (to.mode ?? DEFAULT_MODE) ||
      !sameSources(from, to) ||
      (from.broadcastQueueLength ?? QUEUE_LENGTH) !== (to.broadcastQueueLength ?? QUEUE_LENGTH) ||
      (from.broadcastCutoff ?? MACVLAN_CUTOFF) !== (to.broadcastCutoff ?? MACVLAN_CUTOFF)
    )
  },
  writeChanges(writer, from, to) {
    const mode = to.mode ?? DEFAULT_MODE
    if (mode !== (from.mode ?? DEFAULT_MODE)) writer.attrU32(IFLA_MACVLAN_MODE, numberOf(mode, MODE, 'mode'))
    if (!sameSources(from, to)) writeSources(writer, to)
    const [length, cutoff] = [to.broadcastQueueLength ?? QUEUE_LENGTH, to.broadcastCutoff ?? MACVLAN_CUTOFF]
    if (length !== (from.broadcastQueueLength ?? QUEUE_LENGTH))
      writer.attrU32(IFLA_MACVLAN_BC_QUEUE_LEN, integer(length, 'broadcastQueueLength'))
    if (cutoff !== (from.broadcastCutoff ?? MACVLAN_CUTOFF)) writeCutoff(writer, cutoff)
  },
  parse(data) {
    const table = attributeTable(data, 0, IFLA_MACVLAN_BC_CUTOFF)
    const number = (attribute: number): number => u32(table[attribute] ?? NOTHING)
    const fields: Record<string, unknown> = { mode: wordOf(number(IFLA_MACVLAN_MODE), MODE) }
    const sources = readSources(table[IFLA_MACVLAN_MACADDR_DATA] ?? NOTHING)
    if (sources.length > 0) fields.sourceMacs = sources
    if (table[IFLA_MACVLAN_BC_QUEUE_LEN] !== undefined && number(IFLA_MACVLAN_BC_QUEUE_LEN) !== QUEUE_LENGTH) {
      fields.broadcastQueueLength = number(IFLA_MACVLAN_BC_QUEUE_LEN)
    }
    const cutoff = table[IFLA_MACVLAN_BC_CUTOFF]
    if (cutoff !== undefined && i32(cutoff) !== MACVLAN_CUTOFF) fields.broadcastCutoff = i32(cutoff)
    return { fields }
  },
}

const NOTHING = new Uint8Array(0)

function writeSources(writer: MessageWriter, { mode, sourceMacs = [] }: Macvlan): void {
  if (mode !== 'source') throw invalid('sourceMacs', 'only a macvlan in mode source has them')
  writer.attrU32(IFLA_MACVLAN_MACADDR_MODE, MACVLAN_MACADDR_SET)
  const list = writer.nestBegin(IFLA_MACVLAN_MACADDR_DATA | NLA_F_NESTED)
  for (const mac of sourceMacs) attrMac(writer, IFLA_MACVLAN_MACADDR, mac, 'sourceMacs')
  writer.nestEnd(list)
}

function writeCutoff(writer: MessageWriter, cutoff: number): void {
  writer.attrU32(IFLA_MACVLAN_BC_CUTOFF, integer(cutoff, 'broadcastCutoff', MAX_I32, -1) >>> 0)
}

function readSources(bytes: Uint8Array): string[] {
  const sources: string[] = []
  for (const { type, value } of attributes(bytes)) if (type === IFLA_MACVLAN_MACADDR && value.length === 6) sources.push(macToText(value))
  return sources.sort()
}

/** The kernel keeps a set: order does not count. */
function sameSources(from: Macvlan, to: Macvlan): boolean {
  const [a, b] = [from.sourceMacs ?? [], to.sourceMacs ?? []].map((list) =>
    list.map((mac) => macToText(macToBytes(mac, 'sourceMacs'))).sort(),
  )
  return a!.join() === b!.join()
}
