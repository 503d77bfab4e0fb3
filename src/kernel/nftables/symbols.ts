/** Names of numbers in nft's data types. The first name of a number is the one that listings use. */

export type SymbolTable = readonly (readonly [string, number])[]

/** linux/netfilter.h NFPROTO_* */
export const NF_PROTO: SymbolTable = [
  ['ipv4', 2],
  ['ipv6', 10],
  ['inet', 1],
  ['arp', 3],
  ['netdev', 5],
  ['bridge', 7],
]

/** linux/if_ether.h ETH_P_* */
export const ETHER_TYPE: SymbolTable = [
  ['ip', 0x0800],
  ['arp', 0x0806],
  ['ip6', 0x86dd],
  ['8021q', 0x8100],
  ['8021ad', 0x88a8],
  ['vlan', 0x8100],
]

/** Assigned internet protocol numbers (IANA). */
export const INET_PROTO: SymbolTable = [
  ['icmp', 1],
  ['igmp', 2],
  ['ipip', 4],
  ['tcp', 6],
  ['udp', 17],
  ['dccp', 33],
  ['ipv6', 41],
  ['gre', 47],
  ['esp', 50],
  ['ah', 51],
  ['icmpv6', 58],
  ['ipv6-icmp', 58],
  ['ospf', 89],
  ['pim', 103],
  ['comp', 108],
  ['ipcomp', 108],
  ['vrrp', 112],
  ['l2tp', 115],
  ['sctp', 132],
  ['udplite', 136],
]

/** RFC 826, 903, 2390 */
export const ARP_OP: SymbolTable = [
  ['request', 1],
  ['reply', 2],
  ['rrequest', 3],
  ['rreply', 4],
  ['inrequest', 8],
  ['inreply', 9],
  ['nak', 10],
]

/** linux/if_arp.h ARPHRD_* */
export const IFACE_TYPE: SymbolTable = [
  ['ether', 1],
  ['ppp', 512],
  ['ipip', 768],
  ['ipip6', 769],
  ['loopback', 772],
  ['sit', 776],
  ['ipgre', 778],
]

/** RFC 792 */
export const ICMP_TYPE: SymbolTable = [
  ['echo-reply', 0],
  ['destination-unreachable', 3],
  ['source-quench', 4],
  ['redirect', 5],
  ['echo-request', 8],
  ['router-advertisement', 9],
  ['router-solicitation', 10],
  ['time-exceeded', 11],
  ['parameter-problem', 12],
  ['timestamp-request', 13],
  ['timestamp-reply', 14],
  ['info-request', 15],
  ['info-reply', 16],
  ['address-mask-request', 17],
  ['address-mask-reply', 18],
]

/** RFC 4443, 2710, 4861, 3810 */
export const ICMPV6_TYPE: SymbolTable = [
  ['destination-unreachable', 1],
  ['packet-too-big', 2],
  ['time-exceeded', 3],
  ['parameter-problem', 4],
  ['echo-request', 128],
  ['echo-reply', 129],
  ['mld-listener-query', 130],
  ['mld-listener-report', 131],
  ['mld-listener-done', 132],
  ['mld-listener-reduction', 132],
  ['nd-router-solicit', 133],
  ['nd-router-advert', 134],
  ['nd-neighbor-solicit', 135],
  ['nd-neighbor-advert', 136],
  ['nd-redirect', 137],
  ['router-renumbering', 138],
  ['ind-neighbor-solicit', 141],
  ['ind-neighbor-advert', 142],
  ['mld2-listener-report', 143],
]

/** RFC 792, 1122, 1812: codes of destination-unreachable */
export const ICMP_CODE: SymbolTable = [
  ['net-unreachable', 0],
  ['host-unreachable', 1],
  ['prot-unreachable', 2],
  ['port-unreachable', 3],
  ['frag-needed', 4],
  ['net-prohibited', 9],
  ['host-prohibited', 10],
  ['admin-prohibited', 13],
]

/** RFC 4443: codes of destination-unreachable */
export const ICMPV6_CODE: SymbolTable = [
  ['no-route', 0],
  ['admin-prohibited', 1],
  ['addr-unreachable', 3],
  ['port-unreachable', 4],
  ['policy-fail', 5],
  ['reject-route', 6],
]

/** nf_tables.h enum nft_reject_inet_code */
export const ICMPX_CODE: SymbolTable = [
  ['no-route', 0],
  ['port-unreachable', 1],
  ['host-unreachable', 2],
  ['admin-prohibited', 3],
]

/** RFC 1112, 2236, 3376 */
export const IGMP_TYPE: SymbolTable = [
  ['membership-query', 0x11],
  ['membership-report-v1', 0x12],
  ['membership-report-v2', 0x16],
  ['membership-report-v3', 0x22],
  ['leave-group', 0x17],
]

/** RFC 9293 */
export const TCP_FLAG: SymbolTable = [
  ['fin', 0x01],
  ['syn', 0x02],
  ['rst', 0x04],
  ['psh', 0x08],
  ['ack', 0x10],
  ['urg', 0x20],
  ['ecn', 0x40],
  ['cwr', 0x80],
]

/** linux/netfilter/nf_conntrack_common.h, as nft_ct stores it: 1 << enum ip_conntrack_info */
export const CT_STATE: SymbolTable = [
  ['invalid', 1],
  ['established', 2],
  ['related', 4],
  ['new', 8],
  ['untracked', 64],
]

/** linux/netfilter/nf_conntrack_common.h enum ip_conntrack_status */
export const CT_STATUS: SymbolTable = [
  ['expected', 0x1],
  ['seen-reply', 0x2],
  ['assured', 0x4],
  ['confirmed', 0x8],
  ['snat', 0x10],
  ['dnat', 0x20],
  ['dying', 0x200],
]

export const CT_DIRECTION: SymbolTable = [
  ['original', 0],
  ['reply', 1],
]

/** linux/netfilter/nf_conntrack_common.h enum ip_conntrack_events */
export const CT_EVENT: SymbolTable = [
  ['new', 0x1],
  ['related', 0x2],
  ['destroy', 0x4],
  ['reply', 0x8],
  ['assured', 0x10],
  ['protoinfo', 0x20],
  ['helper', 0x40],
  ['mark', 0x80],
  ['seqadj', 0x100],
  ['secmark', 0x200],
  ['label', 0x400],
]

/** linux/if_packet.h PACKET_* */
export const PKT_TYPE: SymbolTable = [
  ['host', 0],
  ['unicast', 0],
  ['broadcast', 1],
  ['multicast', 2],
  ['other', 3],
]

/** linux/rtnetlink.h RTN_* */
export const FIB_ADDRTYPE: SymbolTable = [
  ['unspec', 0],
  ['unicast', 1],
  ['local', 2],
  ['broadcast', 3],
  ['anycast', 4],
  ['multicast', 5],
  ['blackhole', 6],
  ['unreachable', 7],
  ['prohibit', 8],
]

/** RFC 2474, 2597, 3246, 5865, 8622 */
export const DSCP: SymbolTable = [
  ['cs0', 0],
  ['cs1', 8],
  ['cs2', 16],
  ['cs3', 24],
  ['cs4', 32],
  ['cs5', 40],
  ['cs6', 48],
  ['cs7', 56],
  ['lephb', 1],
  ['af11', 10],
  ['af12', 12],
  ['af13', 14],
  ['af21', 18],
  ['af22', 20],
  ['af23', 22],
  ['af31', 26],
  ['af32', 28],
  ['af33', 30],
  ['af41', 34],
  ['af42', 36],
  ['af43', 38],
  ['va', 44],
  ['ef', 46],
  ['df', 0],
  ['be', 0],
]

export function symbolNumber(table: SymbolTable, name: string): number | undefined {
  return table.find((entry) => entry[0] === name)?.[1]
}

export function symbolName(table: SymbolTable, number: number): string | undefined {
  return table.find((entry) => entry[1] === number)?.[0]
}
