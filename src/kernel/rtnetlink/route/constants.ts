/** linux/rtnetlink.h */
export const RTA_DST = 1
export const RTA_SRC = 2
export const RTA_IIF = 3
export const RTA_OIF = 4
export const RTA_GATEWAY = 5
export const RTA_PRIORITY = 6
export const RTA_PREFSRC = 7
export const RTA_METRICS = 8
export const RTA_MULTIPATH = 9
export const RTA_TABLE = 15
export const RTA_MARK = 16
export const RTA_VIA = 18
export const RTAX_MTU = 2
export const RTNH_F_ONLINK = 4
export const RTM_F_CLONED = 0x200
export const RTM_F_LOOKUP_TABLE = 0x1000
export const RTM_F_FIB_MATCH = 0x2000

export const TYPE = { unicast: 1, local: 2, blackhole: 6, unreachable: 7, prohibit: 8, throw: 9 } as const
export const SCOPE = { global: 0, link: 253, host: 254 } as const

export const MAIN_TABLE = 254
/** RTPROT_BOOT: what ip(8) writes. */
export const USUAL_PROTOCOL = 3
/** IP6_RT_PRIO_USER: the metric of an IPv6 route when none is given. */
export const IPV6_METRIC = 1024
