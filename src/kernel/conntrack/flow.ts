/** One direction of a connection, as packets of that direction carry it. */
export interface FlowTuple {
  source: string
  destination: string
  /** IP protocol number. */
  protocol: number
  sourcePort?: number
  destinationPort?: number
  /** ICMP and ICMPv6. */
  icmpId?: number
  icmpType?: number
  icmpCode?: number
}

export interface FlowCounters {
  packets: number
  bytes: number
}

/** An entry of the connection table (linux/netfilter/nfnetlink_conntrack.h). */
export interface Flow {
  family: 4 | 6
  /** As the first packet came, before address translation. */
  original: FlowTuple
  /** As replies come, so with translated addresses. */
  reply: FlowTuple
  /** Tells two flows apart that have the same tuple, one after the other. */
  id: number
  zone: number
  mark: number
  /** IPS_* bits of linux/netfilter/nf_conntrack_common.h, see {@link FLOW_STATUS}. */
  status: number
  /** Seconds until the entry goes, if nothing is seen; absent for offloaded flows. */
  timeout?: number
  /** TCP_CONNTRACK_* of linux/netfilter/nf_conntrack_tcp.h: 3 is established. */
  tcpState?: number
  /** Only where net.netfilter.nf_conntrack_acct is on. */
  counters?: { original: FlowCounters; reply: FlowCounters }
}

/** Bits of {@link Flow.status}. */
export const FLOW_STATUS = {
  expected: 1 << 0,
  seenReply: 1 << 1,
  assured: 1 << 2,
  confirmed: 1 << 3,
  sourceNat: 1 << 4,
  destinationNat: 1 << 5,
  dying: 1 << 9,
  offloaded: 1 << 14,
} as const
