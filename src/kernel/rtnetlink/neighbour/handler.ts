import type { NeighbourObject, Place } from '../../../contracts/kernel-objects.js'
import { canonicalIp } from '../../addresses.js'
import { NETLINK_ROUTE, type ObjectHandler, type TransactionContext } from '../../handler.js'
import { NLM_F_ACK, type MessageWriter } from '../../netlink/writer.js'
import { attrIp, attrMac, familyOf } from '../address-attributes.js'
import { creationFlags } from '../creation-flags.js'
import { inNamespace } from '../describe-place.js'
import { boolean, invalid, numberOf, refuseUnknown } from '../input.js'
import { linkNames } from '../link-names.js'
import { AF_UNSPEC, RTM_DELNEIGH, RTM_GETNEIGH, RTM_NEWNEIGH } from '../message-types.js'
import {
  beginNeighbour,
  NDA_DST,
  NDA_LLADDR,
  NTF_PROXY,
  NTF_ROUTER,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_REACHABLE,
  NUD_STALE,
} from './message.js'
import { parseNeighbour, type NeighbourFacts } from './parse.js'

const STATE = { permanent: NUD_PERMANENT, noarp: NUD_NOARP, reachable: NUD_REACHABLE, stale: NUD_STALE } as const
const NAMES: ReadonlySet<string> = new Set<keyof NeighbourObject>(['kind', 'at', 'link', 'address', 'mac', 'state', 'proxy', 'router'])

export const neighbourHandler: ObjectHandler<'neighbour'> = {
  create(object, context, replace) {
    check(object)
    add(object, context, replace)
  },
  change(from, to, context) {
    check(to)
    const same =
      from.at === to.at && from.link === to.link && canonicalIp(from.address) === canonicalIp(to.address) && isProxy(from) === isProxy(to)
    if (!same) remove(from, context)
    add(to, context, same)
  },
  remove,
  list: (at, context) => [...listNeighbours(context, at, false), ...listNeighbours(context, at, true)],
  describe: (action, { at, link, address, mac, proxy }) =>
    `${inNamespace('ip', at)} neighbour ${VERB[action]} ${proxy === true ? 'proxy ' : ''}${address}${mac === undefined ? '' : ` lladdr ${mac}`} dev ${link}`,
}

const VERB = { create: 'add', change: 'replace', delete: 'delete' } as const

/** @param proxy those answered for (`ip neighbour show proxy`) instead of those known. @param link only of this link */
export function listNeighbours(context: TransactionContext, at: Place, proxy: boolean, link?: string): NeighbourObject[] {
  const index = link === undefined ? undefined : context.linkIndex(at, link)
  const nameOf = linkNames(at, context)
  return dumpNeighbours(context, at, proxy, index).flatMap(({ index: linkIndex, ...fields }) => {
    const name = nameOf(linkIndex)
    return name === undefined ? [] : [{ kind: 'neighbour', at, link: name, ...fields } as const]
  })
}

const NDA_IFINDEX = 8

function dumpNeighbours(context: TransactionContext, at: Place, proxy: boolean, index: number | undefined): NeighbourFacts[] {
  const body = (writer: MessageWriter): void => {
    // struct ndmsg; of its fields only this flag may be set in a request
    writer
      .u8(AF_UNSPEC)
      .u8(0)
      .u16(0)
      .i32(0)
      .u16(0)
      .u8(proxy ? NTF_PROXY : 0)
      .u8(0)
    if (index !== undefined) writer.attrU32(NDA_IFINDEX, index)
  }
  return context.socket(at, NETLINK_ROUTE).dump(RTM_GETNEIGH, body, ({ payload }) => parseNeighbour(payload))
}

function check(object: NeighbourObject): void {
  refuseUnknown(object, NAMES, 'a neighbour')
  if (isProxy(object) && (object.mac ?? object.state) !== undefined)
    throw invalid('proxy', 'an address answered for has neither MAC nor state')
  if (!isProxy(object) && object.mac === undefined && object.state !== 'noarp') throw invalid('mac', 'a neighbour needs one')
}

function add(object: NeighbourObject, context: TransactionContext, replace: boolean): void {
  const index = context.linkIndex(object.at, object.link)
  const writer = context.writer(object.at, NETLINK_ROUTE)
  const router = boolean(object.router ?? false, 'router') ? NTF_ROUTER : 0
  const state = isProxy(object) ? 0 : numberOf(object.state ?? 'permanent', STATE, 'state')
  beginNeighbour(writer, RTM_NEWNEIGH, creationFlags(replace), familyOf(object.address), index, state, flagsOf(object) | router)
  attrIp(writer, NDA_DST, object.address, 'address')
  if (object.mac !== undefined) attrMac(writer, NDA_LLADDR, object.mac, 'mac')
  writer.end()
}

function remove(object: NeighbourObject, context: TransactionContext): void {
  const index = context.linkIndex(object.at, object.link)
  const writer = context.writer(object.at, NETLINK_ROUTE)
  beginNeighbour(writer, RTM_DELNEIGH, NLM_F_ACK, familyOf(object.address), index, 0, flagsOf(object))
  attrIp(writer, NDA_DST, object.address, 'address')
  writer.end()
}

const isProxy = ({ proxy = false }: NeighbourObject): boolean => boolean(proxy, 'proxy')

const flagsOf = (object: NeighbourObject): number => (isProxy(object) ? NTF_PROXY : 0)
