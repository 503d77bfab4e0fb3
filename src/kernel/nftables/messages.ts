import type { FirewallFamily } from '../../contracts/firewall.js'
import type { MessageWriter } from '../netlink/writer.js'
import { own } from './packet-keys.js'
import { refusal } from './refusal.js'

/** linux/netfilter/nf_tables.h enum nf_tables_msg_types, with the subsystem of nf_tables in the upper byte */
const NFNL_SUBSYS_NFTABLES = 10
const message = (number: number): number => (NFNL_SUBSYS_NFTABLES << 8) | number
export const NEWTABLE = message(0)
export const GETTABLE = message(1)
export const DELTABLE = message(2)
export const NEWCHAIN = message(3)
export const GETCHAIN = message(4)
export const DELCHAIN = message(5)
export const NEWRULE = message(6)
export const GETRULE = message(7)
export const DELRULE = message(8)
export const NEWSET = message(9)
export const GETSET = message(10)
export const DELSET = message(11)
export const NEWSETELEM = message(12)
export const GETSETELEM = message(13)
export const DELSETELEM = message(14)
export const NEWGEN = message(15)
export const GETGEN = message(16)
/** Like DELSETELEM, but it is no error when the element is not there. Since Linux 6.3. */
export const DESTROYSETELEM = message(30)

/** linux/netfilter.h NFPROTO_* */
const FAMILIES: Readonly<Record<FirewallFamily, number>> = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 }
export const ANY_FAMILY = 0

/** struct nfgenmsg { u8 family, u8 version, be16 resource id } */
export const HEADER = 4

export function familyNumber(family: FirewallFamily): number {
  const number = own(FAMILIES, family)
  if (number === undefined) throw refusal('family', `there is no family ${JSON.stringify(family)}`)
  return number
}

export function familyName(number: number): FirewallFamily | undefined {
  return (Object.keys(FAMILIES) as FirewallFamily[]).find((name) => FAMILIES[name] === number)
}

export function beginMessage(writer: MessageWriter, type: number, flags: number, family: FirewallFamily): MessageWriter {
  const number = familyNumber(family)
  return writer.begin(type, flags).u8(number).u8(0).u16(0)
}

/** Attribute numbers that several files use. */
export const TABLE = { name: 1, flags: 2, userdata: 6 } as const
export const CHAIN = { table: 1, name: 3, hook: 4, policy: 5, type: 7, userdata: 12 } as const
export const HOOK = { number: 1, priority: 2, device: 3, devices: 4 } as const
export const RULE = { table: 1, chain: 2, expressions: 4, userdata: 7 } as const
export const SET = {
  table: 1,
  name: 2,
  flags: 3,
  keyType: 4,
  keyLength: 5,
  dataType: 6,
  dataLength: 7,
  policy: 8,
  description: 9,
  id: 10,
  timeout: 11,
  gcInterval: 12,
  userdata: 13,
  expression: 17,
  expressions: 18,
} as const
export const SET_DESCRIPTION = { size: 1, concat: 2 } as const
export const ELEMENT_LIST = { table: 1, set: 2, elements: 3, setId: 4 } as const
export const ELEMENT = {
  key: 1,
  data: 2,
  flags: 3,
  timeout: 4,
  expiration: 5,
  userdata: 6,
  expression: 7,
  keyEnd: 10,
  expressions: 11,
} as const
export const LIST_ELEM = 1

/** enum nft_set_flags */
export const SET_FLAG = {
  anonymous: 0x1,
  constant: 0x2,
  interval: 0x4,
  map: 0x8,
  timeout: 0x10,
  dynamic: 0x20,
  object: 0x40,
  concat: 0x80,
  expression: 0x100,
} as const
/** enum nft_set_elem_flags */
export const ELEMENT_FLAG = { intervalEnd: 1, catchAll: 2 } as const
/** NFT_DATA_VERDICT, as the type of a map's data */
export const VERDICT_TYPE = 0xffffff00
