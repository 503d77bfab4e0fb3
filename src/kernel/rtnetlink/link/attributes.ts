/** linux/if_link.h, linux/if.h */
export const IFLA_ADDRESS = 1
export const IFLA_BROADCAST = 2
export const IFLA_IFNAME = 3
export const IFLA_MTU = 4
export const IFLA_LINK = 5
export const IFLA_MASTER = 10
export const IFLA_PROTINFO = 12
export const IFLA_TXQLEN = 13
export const IFLA_OPERSTATE = 16
export const IFLA_LINKINFO = 18
export const IFLA_IFALIAS = 20
export const IFLA_AF_SPEC = 26
export const IFLA_GROUP = 27
export const IFLA_NET_NS_FD = 28
export const IFLA_EXT_MASK = 29
export const IFLA_NUM_TX_QUEUES = 31
export const IFLA_NUM_RX_QUEUES = 32
export const IFLA_CARRIER = 33
export const IFLA_LINK_NETNSID = 37
export const IFLA_TARGET_NETNSID = 46
export const IFLA_NEW_IFINDEX = 49

export const IFLA_INFO_KIND = 1
export const IFLA_INFO_DATA = 2
export const IFLA_INFO_SLAVE_KIND = 4

export const IFLA_INET_CONF = 1
export const IFLA_INET6_ADDR_GEN_MODE = 8

export const IFF_UP = 0x1
export const IFF_LOOPBACK = 0x8
export const IFF_NOARP = 0x80
export const IFF_PROMISC = 0x100
export const IFF_ALLMULTI = 0x200

/** Length of struct ifinfomsg. */
export const LINK_HEADER = 16

/** Statistics are the largest part of a link's message, and rarely wanted. */
export const RTEXT_FILTER_SKIP_STATS = 8
/** VLANs of bridge ports, ranges as ranges. */
export const RTEXT_FILTER_BRVLAN_COMPRESSED = 4

export const ADDRESS_GENERATION = { eui64: 0, none: 1, 'stable-privacy': 2, random: 3 } as const
