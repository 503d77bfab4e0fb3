import type { Place } from '../../../contracts/kernel-objects.js'
import { AF_INET } from '../../addresses.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import { NLA_F_NESTED, NLM_F_ACK } from '../../netlink/writer.js'
import { RTM_NEWLINK } from '../message-types.js'
import { IFLA_AF_SPEC, IFLA_INET_CONF } from './attributes.js'
import { beginLink } from './message.js'

/**
 * IPv4 parameters of a link that a message about the link can carry: IPV4_DEVCONF_* of linux/ip.h. Not among them are
 * those whose file under /proc/sys does more than to keep a number (forwarding, route_localnet).
 */
const NUMBERS: ReadonlyMap<string, number> = new Map([
  ['accept_redirects', 4],
  ['secure_redirects', 5],
  ['send_redirects', 6],
  ['shared_media', 7],
  ['rp_filter', 8],
  ['accept_source_route', 9],
  ['log_martians', 11],
  ['arp_filter', 13],
  ['arp_announce', 18],
  ['arp_ignore', 19],
  ['promote_secondaries', 20],
  ['arp_accept', 21],
  ['arp_notify', 22],
])

const PATH = /^net\/ipv4\/conf\/([^/]+)\/([a-z_]+)$/
const NUMBER = /^\d{1,9}$/

export interface IPv4Setting {
  link: string
  /** IPV4_DEVCONF_* */
  number: number
  value: number
}

/** A sysctl as a setting of one link, if it is one. */
export function ipv4SettingOf(path: string, value: string): IPv4Setting | undefined {
  const [, link = '', name = ''] = PATH.exec(path) ?? []
  const number = NUMBERS.get(name)
  if (number === undefined || link === 'all' || link === 'default' || !NUMBER.test(value)) return undefined
  return { link, number, value: Number(value) }
}

/** With the link's other messages, where a file costs a look-up that takes longer the more namespaces there are. */
export function writeIPv4Setting(at: Place, { link, number, value }: IPv4Setting, context: TransactionContext): void {
  const index = context.linkIndex(at, link)
  const writer = context.writer(at, NETLINK_ROUTE)
  beginLink(writer, RTM_NEWLINK, NLM_F_ACK, index)
  const families = writer.nestBegin(IFLA_AF_SPEC | NLA_F_NESTED)
  const inet = writer.nestBegin(AF_INET | NLA_F_NESTED)
  const settings = writer.nestBegin(IFLA_INET_CONF | NLA_F_NESTED)
  writer.attrU32(number, value)
  writer.nestEnd(settings)
  writer.nestEnd(inet)
  writer.nestEnd(families)
  writer.end()
}
