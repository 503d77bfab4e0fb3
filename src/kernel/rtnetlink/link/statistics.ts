import type { Place } from '../../../contracts/kernel-objects.js'
import { kernelError } from '../../errors.js'
import { NETLINK_ROUTE, type TransactionContext } from '../../handler.js'
import { attributeTable, u32, u64 } from '../../netlink/reader.js'
import { AF_UNSPEC, RTM_GETSTATS } from '../message-types.js'

const IFLA_STATS_LINK_64 = 1
/** Length of struct if_stats_msg. */
const STATS_HEADER = 12
/** struct rtnl_link_stats64 of linux/if_link.h, in its order. */
const COUNTERS = [
  'rxPackets',
  'txPackets',
  'rxBytes',
  'txBytes',
  'rxErrors',
  'txErrors',
  'rxDropped',
  'txDropped',
  'multicast',
  'collisions',
] as const

/** Counters of a link since it was made. Doubles: exact up to 2^53 (9 PB). */
export type LinkStatistics = Record<(typeof COUNTERS)[number], number>

/** `ip -s link show <name>`. @throws CnmError ERR_CNM_LINK_NOT_FOUND */
export function linkStatistics(context: TransactionContext, at: Place, name: string): LinkStatistics {
  const socket = context.socket(at, NETLINK_ROUTE)
  const index = context.linkIndex(at, name)
  // struct if_stats_msg: family, pad, index, filter of which statistics
  const { replies, ...answer } = socket.request(RTM_GETSTATS, 0, (writer) =>
    writer
      .u8(AF_UNSPEC)
      .u8(0)
      .u16(0)
      .u32(index)
      .u32(1 << (IFLA_STATS_LINK_64 - 1)),
  )
  const statistics = replies[0] === undefined ? undefined : parseStatistics(replies[0].payload)
  if (statistics === undefined) throw kernelError({ ...answer, operation: `ip -s link show ${name}`, subject: 'link' })
  return statistics.counters
}

/** Of every link of a namespace, by interface index. */
export function listStatistics(context: TransactionContext, at: Place): Map<number, LinkStatistics> {
  const found = context.socket(at, NETLINK_ROUTE).dump(
    RTM_GETSTATS,
    (writer) =>
      writer
        .u8(AF_UNSPEC)
        .u8(0)
        .u16(0)
        .u32(0)
        .u32(1 << (IFLA_STATS_LINK_64 - 1)),
    ({ payload }) => parseStatistics(payload),
  )
  return new Map(found.map(({ index, counters }) => [index, counters]))
}

/** Pure. @param payload of RTM_NEWSTATS */
export function parseStatistics(payload: Uint8Array): { index: number; counters: LinkStatistics } | undefined {
  const counters = attributeTable(payload, STATS_HEADER, IFLA_STATS_LINK_64)[IFLA_STATS_LINK_64]
  if (counters === undefined) return undefined
  const entries = COUNTERS.map((name, i) => [name, Number(u64(counters, i * 8))])
  return { index: u32(payload, 4), counters: Object.fromEntries(entries) as LinkStatistics }
}
