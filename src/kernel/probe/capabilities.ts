/** What a kernel feature is called, and what libcnm needs it for. */
export const FEATURES = {
  'net-admin': 'CAP_NET_ADMIN: change links, addresses, routes, firewall',
  'sys-admin': 'CAP_SYS_ADMIN: enter and make namespaces, mount',
  'user-namespaces': 'user namespaces: run without being root',
  'network-namespaces': 'network namespaces: sandboxes',
  'listen-all-nsid': 'events of all namespaces on one socket',
  ipv6: 'IPv6',
  'link-bridge': 'bridge links',
  'link-veth': 'veth links',
  'link-vxlan': 'VXLAN links: overlay networks',
  'link-macvlan': 'macvlan links',
  'link-ipvlan': 'ipvlan links',
  'link-vlan': 'VLAN links (802.1Q)',
  'link-dummy': 'dummy links',
  'link-vrf': 'VRF links',
  'link-ifb': 'ifb links: shaping of incoming traffic',
  'link-wireguard': 'WireGuard links: encrypted overlay networks',
  'bridge-vlan-filtering': 'VLAN filtering of bridges',
  'ethtool-netlink': 'device features through generic netlink',
  'qdisc-tbf': 'tbf queueing: rate limits',
  'qdisc-fq-codel': 'fq_codel queueing',
  'qdisc-netem': 'netem queueing: delay and loss for tests',
  'qdisc-ingress': 'ingress queueing',
  nftables: 'nftables: the firewall',
  'nft-inet': 'nftables family inet',
  'nft-bridge': 'nftables family bridge',
  'nft-nat': 'address translation',
  'nft-masquerade': 'masquerading',
  'nft-redirect': 'redirection to the host itself',
  'nft-fib': 'address type look-ups',
  'nft-tproxy': 'transparent proxying',
  'nft-numgen': 'load balancing by counter or random number',
  'nft-hash': 'load balancing by hash',
  'nft-reject': 'rejecting instead of dropping',
  'nft-limit': 'rate limits in rules',
  'nft-log': 'logging of packets',
  'nft-ct': 'connection state in rules',
  'nft-concatenated-intervals': 'sets of concatenated ranges',
  conntrack: 'connection table through netlink',
  xfrm: 'IPsec policies',
  'xfrm-esp': 'IPsec ESP: encrypted VXLAN',
  mounts: 'mounts: volumes',
  overlayfs: 'overlayfs: layered volumes',
  'project-quota': 'project quotas: size limits of volumes',
  cgroup2: 'cgroup v2',
} as const

export type FeatureName = keyof typeof FEATURES
export const FEATURE_NAMES = Object.keys(FEATURES) as FeatureName[]

/** The answer for one feature. `reason` says why not, in the kernel's words where it gave any. */
export interface Verdict {
  available: boolean
  reason?: string
}

/** How this host is set up, where that matters to networks but nothing can be said to be missing. */
export interface HostSettings {
  /** `uname -r`. */
  kernel: string
  /** br_netfilter is loaded: bridged packets pass the IP firewall too. */
  bridgeNetfilter: boolean
  ipv4Forwarding: boolean
  ipv6Forwarding: boolean
  /** Active security modules that may refuse what the capabilities allow; empty when securityfs is not readable. */
  securityModules: string[]
  /** The confinement of this process by such a module: `unconfined`, `docker-default (enforce)`. */
  confinement?: string
}

export interface Capabilities {
  settings: HostSettings
  features: Record<FeatureName, Verdict>
}

export const YES: Verdict = Object.freeze({ available: true })
export const no = (reason: string): Verdict => ({ available: false, reason })
