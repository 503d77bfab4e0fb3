import type { NodeView } from './cluster-views.js'

/** What a driver may need to know about the host, read before every description; never a list of everything there is. */
export interface HostFacts {
  /** Name of the controller's instance: the nftables table, the owner in link aliases. */
  readonly instance: string
  /** The link of the default route in the main table, per family. */
  readonly defaultRoute: { readonly 4?: HostRoute; readonly 6?: HostRoute }
  /** The kernel has IPv6: it is neither left out nor switched off at boot. */
  readonly ipv6: boolean
  /** Families whose bridged packets pass the hooks of IP as well (br_netfilter, which Docker switches on; libcnm never does). */
  readonly bridgeNetfilter: readonly (4 | 6)[]
  /** Chains on the host that drop forwarded packets, unless one of their rules accepts them: Docker's, ufw's, firewalld's. */
  readonly forwardDrops: readonly { family: 'ip' | 'ip6' | 'inet'; table: string; chain: string; why: 'policy' | 'last rule' }[]
  /** This host in its cluster, and the link that has its address. Absent outside of clusters. */
  readonly node?: NodeView & { readonly link?: string }
  /** Links of the host by name: that of the node's address, those of the default routes, and those that {@link NetworkDriver.hostLinks} names, where they exist. */
  readonly links: ReadonlyMap<string, HostLink>
}

export interface HostRoute {
  link: string
  mtu: number
  /** Learned from a router advertisement (RTPROT_RA): the kernel forgets it when the host starts to forward, unless accept_ra is 2. */
  advertised?: boolean
}

export interface HostLink {
  name: string
  index: number
  /** `bridge`, `veth`, `vlan`, `macvlan`; `device` for hardware and everything without a kind. */
  type: string
  mtu: number
  mac?: string
  up: boolean
  master?: string
  /** Owner, when one of ours made it: `libcnm:<instance>:<owner>`. */
  alias?: string
  /** With prefix length: `10.0.0.1/24`, `fe80::1/64`. */
  addresses: readonly string[]
}
