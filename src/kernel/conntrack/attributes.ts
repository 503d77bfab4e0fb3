/** Message types and CTA_* attribute numbers of linux/netfilter/nfnetlink_conntrack.h. */
const NFNL_SUBSYS_CTNETLINK = 1
export const CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1
export const CT_DELETE = (NFNL_SUBSYS_CTNETLINK << 8) | 2
/** Bytes of struct nfgenmsg, before the attributes. */
export const NFGENMSG = 4

export const TUPLE_ORIG = 1
export const TUPLE_REPLY = 2
export const STATUS = 3
export const PROTOINFO = 4
export const TIMEOUT = 7
export const MARK = 8
export const COUNTERS_ORIG = 9
export const COUNTERS_REPLY = 10
export const ID = 12
export const ZONE = 18
export const MARK_MASK = 21
export const FILTER = 25

export const TUPLE_IP = 1
export const TUPLE_PROTO = 2

export const IP_V4_SRC = 1
export const IP_V4_DST = 2
export const IP_V6_SRC = 3
export const IP_V6_DST = 4

export const PROTO_NUM = 1
export const PROTO_SRC_PORT = 2
export const PROTO_DST_PORT = 3
export const PROTO_ICMP_ID = 4
export const PROTO_ICMP_TYPE = 5
export const PROTO_ICMP_CODE = 6
export const PROTO_ICMPV6_ID = 7
export const PROTO_ICMPV6_TYPE = 8
export const PROTO_ICMPV6_CODE = 9

export const PROTOINFO_TCP = 1
export const PROTOINFO_TCP_STATE = 1

export const COUNTERS_PACKETS = 1
export const COUNTERS_BYTES = 2

export const FILTER_ORIG_FLAGS = 1
export const FILTER_REPLY_FLAGS = 2
/** Which parts of a tuple CTA_FILTER compares: CTA_FILTER_F_* of the kernel's nf_internals.h. */
export const FILTER_IP_SRC = 1 << 0
export const FILTER_IP_DST = 1 << 1
export const FILTER_PROTO_NUM = 1 << 3
export const FILTER_PROTO_SRC_PORT = 1 << 4
export const FILTER_PROTO_DST_PORT = 1 << 5
