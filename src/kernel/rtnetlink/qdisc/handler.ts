import type { Place, QdiscObject } from '../../../contracts/kernel-objects.js'
import { NETLINK_ROUTE, type ObjectHandler, type TransactionContext } from '../../handler.js'
import { attributeTable, i32, text, u32 } from '../../netlink/reader.js'
import { NLA_F_NESTED, NLM_F_ACK, type MessageWriter } from '../../netlink/writer.js'
import { creationFlags } from '../creation-flags.js'
import { inNamespace } from '../describe-place.js'
import { invalid, refuseUnknown } from '../input.js'
import { linkNames } from '../link-names.js'
import { AF_UNSPEC, RTM_DELQDISC, RTM_GETQDISC, RTM_NEWQDISC } from '../message-types.js'
import { parseQdiscOptions, writeQdiscOptions } from './options.js'

/** linux/pkt_sched.h, linux/rtnetlink.h */
const TCA_KIND = 1
const TCA_OPTIONS = 2
const TC_H_ROOT = 0xffffffff
/** Also TC_H_CLSACT: the two share their place. */
const TC_H_INGRESS = 0xfffffff1
const INGRESS_HANDLE = 0xffff0000
const HEADER = 20
const NAMES: ReadonlySet<string> = new Set<keyof QdiscObject>(['kind', 'at', 'link', 'parent', 'qdisc'])

export const qdiscHandler: ObjectHandler<'qdisc'> = {
  create(object, context, replace) {
    refuseUnknown(object, NAMES, 'a qdisc')
    add(object, context, replace)
  },
  change(from, to, context) {
    refuseUnknown(to, NAMES, 'a qdisc')
    if (from.at === to.at && from.link === to.link && parentOf(from) === parentOf(to) && from.qdisc.type === to.qdisc.type) {
      // The same type is changed in place, and what waits in it goes on waiting.
      if (JSON.stringify(sorted(from.qdisc)) !== JSON.stringify(sorted(to.qdisc))) add(to, context, true)
      return
    }
    remove(from, context)
    add(to, context, false)
  },
  remove,
  list: (at, context) => listQdiscs(at, context),
  read: ({ at, link, parent = 'root' }, context) =>
    listQdiscs(at, context, context.linkIndex(at, link)).find((found) => (found.parent ?? 'root') === parent),
  describe: (action, { at, link, parent = 'root', qdisc }) =>
    `${inNamespace('tc', at)} qdisc ${VERB[action]} dev ${link} ${parent}${action === 'delete' ? '' : ` ${qdisc.type}`}`,
}

const VERB = { create: 'add', change: 'replace', delete: 'delete' } as const

function add(object: QdiscObject, context: TransactionContext, replace: boolean): void {
  const writer = begin(object, RTM_NEWQDISC, creationFlags(replace), context)
  const { type } = object.qdisc
  if (type === 'netem') {
    // Its options are a structure and attributes, not attributes alone.
    const options = writer.nestBegin(TCA_OPTIONS)
    writeQdiscOptions(writer, object.qdisc)
    writer.nestEnd(options)
  } else {
    const options = writer.nestBegin(TCA_OPTIONS | NLA_F_NESTED)
    writeQdiscOptions(writer, object.qdisc)
    writer.nestEnd(options)
  }
  writer.end()
}

function remove(object: QdiscObject, context: TransactionContext): void {
  begin(object, RTM_DELQDISC, NLM_F_ACK, context).end()
}

/** struct tcmsg: family, pad, link, handle, parent, info. With its type, so that no other is removed for it. */
function begin(object: QdiscObject, type: number, flags: number, context: TransactionContext): MessageWriter {
  const parent = parentOf(object)
  const index = context.linkIndex(object.at, object.link)
  const writer = context.writer(object.at, NETLINK_ROUTE)
  writer.begin(type, flags).u8(AF_UNSPEC).u8(0).u16(0).i32(index)
  writer
    .u32(parent === 'root' ? 0 : INGRESS_HANDLE)
    .u32(parent === 'root' ? TC_H_ROOT : TC_H_INGRESS)
    .u32(0)
  return writer.attrString(TCA_KIND, parent === 'root' ? object.qdisc.type : parent)
}

/** `clsact` is a qdisc of type ingress with a way out too. */
function parentOf({ parent, qdisc }: QdiscObject): 'root' | 'ingress' | 'clsact' {
  const place = parent ?? (qdisc.type === 'ingress' ? 'ingress' : 'root')
  if (place !== 'root' && place !== 'ingress' && place !== 'clsact')
    throw invalid('parent', `${JSON.stringify(place)} is none of root, ingress, clsact`)
  if ((qdisc.type === 'ingress') !== (place !== 'root')) throw invalid('parent', `a qdisc of type ${qdisc.type} cannot be at ${place}`)
  return place
}

/** Those that somebody put there; what the kernel gives a link by itself has no handle. @param index only of this link */
function listQdiscs(at: Place, context: TransactionContext, index = 0): QdiscObject[] {
  const nameOf = linkNames(at, context)
  const found = context.socket(at, NETLINK_ROUTE).dump(
    RTM_GETQDISC,
    (writer) => writer.u8(AF_UNSPEC).u8(0).u16(0).i32(index).u32(0).u32(0).u32(0),
    ({ payload }) => parseQdisc(payload),
  )
  return found.flatMap(({ index: linkIndex, ...fields }) => {
    const link = nameOf(linkIndex)
    return link === undefined || (index !== 0 && linkIndex !== index) ? [] : [{ kind: 'qdisc', at, link, ...fields } as const]
  })
}

/** A queueing discipline, its link by index. */
export type QdiscFacts = Omit<QdiscObject, 'kind' | 'at' | 'link'> & { index: number }

/** Pure. @param payload of RTM_NEWQDISC: struct tcmsg and attributes */
export function parseQdisc(payload: Uint8Array): QdiscFacts | undefined {
  if (payload.length < HEADER || u32(payload, 8) === 0) return undefined
  const table = attributeTable(payload, HEADER, TCA_OPTIONS)
  const type = text(table[TCA_KIND] ?? NOTHING)
  const qdisc = parseQdiscOptions(type, table[TCA_OPTIONS] ?? NOTHING)
  const parent = u32(payload, 12)
  if (qdisc === undefined || (parent !== TC_H_ROOT && parent !== TC_H_INGRESS)) return undefined
  const facts: QdiscFacts = { index: i32(payload, 4), qdisc }
  if (parent === TC_H_INGRESS) facts.parent = type === 'clsact' ? 'clsact' : 'ingress'
  return facts
}

const NOTHING = new Uint8Array(0)

const sorted = (qdisc: object): [string, unknown][] =>
  Object.entries(qdisc)
    .filter(([, value]) => value !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
