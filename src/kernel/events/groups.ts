import { CnmError } from '../../contracts/errors.js'
import { NETLINK_NETFILTER, NETLINK_ROUTE } from '../handler.js'

/** What can be watched, and the multicast groups that tell of it: RTNLGRP_* of linux/rtnetlink.h, NFNLGRP_* of linux/netfilter/nfnetlink.h. */
const GROUPS = {
  link: { protocol: NETLINK_ROUTE, groups: [1] },
  address: { protocol: NETLINK_ROUTE, groups: [5, 9] },
  route: { protocol: NETLINK_ROUTE, groups: [7, 11] },
  neighbour: { protocol: NETLINK_ROUTE, groups: [3] },
  'policy-rule': { protocol: NETLINK_ROUTE, groups: [8, 19] },
  namespace: { protocol: NETLINK_ROUTE, groups: [28] },
  nftables: { protocol: NETLINK_NETFILTER, groups: [7] },
} as const

export type WatchGroup = keyof typeof GROUPS

/** Multicast groups by netlink protocol: each protocol needs a socket. @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function multicastGroups(names: readonly WatchGroup[]): Map<number, number[]> {
  const found = new Map<number, number[]>()
  if (names.length === 0) throw new CnmError('ERR_CNM_INVALID_ARGUMENT', 'groups: nothing to watch', { field: 'groups' })
  for (const name of new Set(names)) {
    if (!Object.hasOwn(GROUPS, name)) {
      throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `groups: ${JSON.stringify(name)} is none of ${Object.keys(GROUPS).join(', ')}`, { field: 'groups' })
    }
    const { protocol, groups } = GROUPS[name]
    found.set(protocol, [...(found.get(protocol) ?? []), ...groups])
  }
  return found
}
