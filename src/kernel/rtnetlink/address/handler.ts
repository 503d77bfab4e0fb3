import type { AddressObject, Place } from '../../../contracts/kernel-objects.js'
import { NETLINK_ROUTE, type ObjectHandler, type TransactionContext } from '../../handler.js'
import { NLM_F_ACK, type MessageWriter } from '../../netlink/writer.js'
import { canonicalIp, isIpv6Text } from '../../addresses.js'
import { creationFlags } from '../creation-flags.js'
import { inNamespace } from '../describe-place.js'
import { refuseUnknown } from '../input.js'
import { linkNames } from '../link-names.js'
import { AF_UNSPEC, RTM_DELADDR, RTM_GETADDR, RTM_NEWADDR } from '../message-types.js'
import { usualScope, writeAddress } from './message.js'
import { parseAddress, type AddressFacts } from './parse.js'

const NAMES: ReadonlySet<string> = new Set<keyof AddressObject>([
  'kind',
  'at',
  'link',
  'address',
  'scope',
  'peer',
  'broadcast',
  'noPrefixRoute',
  'noDad',
  'metric',
])

export const addressHandler: ObjectHandler<'address'> = {
  create(object, context, replace) {
    refuseUnknown(object, NAMES, 'an address')
    send(object, RTM_NEWADDR, creationFlags(replace), context)
  },
  change(from, to, context) {
    refuseUnknown(to, NAMES, 'an address')
    if (!sameAddress(from, to) || !canChangeInPlace(from, to)) {
      send(from, RTM_DELADDR, NLM_F_ACK, context)
      send(to, RTM_NEWADDR, creationFlags(false), context)
    } else if (differs(from, to)) send(to, RTM_NEWADDR, creationFlags(true), context)
  },
  remove: (object, context) => send(object, RTM_DELADDR, NLM_F_ACK, context),
  list: (at, context) => named(at, context, dumpAddresses(at, context)),
  describe: (action, { at, link, address, scope, peer }) =>
    `${inNamespace('ip', at)} address ${VERB[action]} ${address}${peer === undefined ? '' : ` peer ${peer}`} dev ${link}${scope === undefined ? '' : ` scope ${scope}`}`,
}

const VERB = { create: 'add', change: 'replace', delete: 'delete' } as const

/** Addresses of one link, with prefix. @throws CnmError ERR_CNM_LINK_NOT_FOUND */
export function addressesOf(context: TransactionContext, at: Place, link: string): string[] {
  const index = context.linkIndex(at, link)
  return dumpAddresses(at, context, index).map(({ address }) => address)
}

function send(object: AddressObject, type: number, flags: number, context: TransactionContext): void {
  const index = context.linkIndex(object.at, object.link)
  writeAddress(context.writer(object.at, NETLINK_ROUTE), type, flags, object, index)
}

/** @param index only of this link, the kernel leaves out the others */
function dumpAddresses(at: Place, context: TransactionContext, index = 0): AddressFacts[] {
  // struct ifaddrmsg
  const body = (writer: MessageWriter): MessageWriter => writer.u8(AF_UNSPEC).u8(0).u8(0).u8(0).u32(index)
  return context.socket(at, NETLINK_ROUTE).dump(RTM_GETADDR, body, ({ payload }) => parseAddress(payload))
}

function named(at: Place, context: TransactionContext, found: readonly AddressFacts[]): AddressObject[] {
  const nameOf = linkNames(at, context)
  return found.flatMap(({ index, ...fields }) => {
    const link = nameOf(index)
    return link === undefined ? [] : [{ kind: 'address', at, link, ...fields } as const]
  })
}

/** Whether both are the address of one link: place, link, address with prefix. */
const sameAddress = (from: AddressObject, to: AddressObject): boolean =>
  from.at === to.at && from.link === to.link && canonical(from.address) === canonical(to.address)

function canonical(address: string): string {
  const [ip = '', length] = address.split('/')
  return `${canonicalIp(ip)}/${length ?? ''}`
}

/** The kernel lets the metric of an address change, and the flags of an IPv6 one. */
const canChangeInPlace = (from: AddressObject, to: AddressObject): boolean =>
  from.peer === to.peer &&
  from.broadcast === to.broadcast &&
  (from.scope ?? usualScope(from.address)) === (to.scope ?? usualScope(to.address)) &&
  (isIpv6Text(to.address) || (from.noPrefixRoute ?? false) === (to.noPrefixRoute ?? false)) &&
  (to.metric !== undefined || from.metric === undefined)

const differs = (from: AddressObject, to: AddressObject): boolean =>
  from.metric !== to.metric ||
  (from.noPrefixRoute ?? false) !== (to.noPrefixRoute ?? false) ||
  (from.noDad ?? false) !== (to.noDad ?? false)
