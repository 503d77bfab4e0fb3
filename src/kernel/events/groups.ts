import { CnmError } from '../../contracts/errors.js'
import { NETLINK_NETFILTER, NETLINK_ROUTE } from '../handler.js'
import type { KernelEvent } from './event.js'

interface Group {
  protocol: number
  /** RTNLGRP_* of linux/rtnetlink.h, NFNLGRP_* of linux/netfilter/nfnetlink.h. */
  groups: readonly number[]
  kinds: readonly KernelEvent['kind'][]
}

/** What can be watched, the multicast groups that tell of it, and the kinds of events that come of it. */
const GROUPS = {
  link: { protocol: NETLINK_ROUTE, groups: [1], kinds: ['link', 'bridge-port'] },
  address: { protocol: NETLINK_ROUTE, groups: [5, 9], kinds: ['address'] },
  route: { protocol: NETLINK_ROUTE, groups: [7, 11], kinds: ['route'] },
  neighbour: { protocol: NETLINK_ROUTE, groups: [3], kinds: ['neighbour', 'fdb'] },
  'policy-rule': { protocol: NETLINK_ROUTE, groups: [8, 19], kinds: ['policy-rule'] },
  nftables: { protocol: NETLINK_NETFILTER, groups: [7], kinds: ['nftables'] },
} as const satisfies Record<string, Group>

const NAMESPACE: Group = { protocol: NETLINK_ROUTE, groups: [28], kinds: ['namespace'] }

export type WatchGroup = keyof typeof GROUPS

/** A socket that is needed: each protocol has its own. */
export interface SourceRequest {
  protocol: number
  groups: number[]
  /** Events to report; the socket may be told of others too. */
  kinds: KernelEvent['kind'][]
}

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT */
export function eventSources(names: readonly WatchGroup[], allNamespaces: boolean): SourceRequest[] {
  if (names.length === 0) throw new CnmError('ERR_CNM_INVALID_ARGUMENT', 'groups: nothing to watch', { field: 'groups' })
  const wanted = [...new Set(names)].map(groupOf)
  const protocols = [...new Set(wanted.map(({ protocol }) => protocol))]
  return protocols.map((protocol) => {
    const groups: readonly Group[] = [...wanted, ...(allNamespaces ? [NAMESPACE] : [])].filter((group) => group.protocol === protocol)
    // Other messages have links by number; their names are known only from the news of links.
    const numbers =
      protocol === NETLINK_ROUTE
        ? [...GROUPS.link.groups, ...groups.flatMap((group) => group.groups)]
        : groups.flatMap((group) => group.groups)
    return { protocol, groups: [...new Set(numbers)], kinds: groups.flatMap(({ kinds }) => kinds) }
  })
}

function groupOf(name: WatchGroup): Group {
  if (Object.hasOwn(GROUPS, name)) return GROUPS[name]
  const known = Object.keys(GROUPS).join(', ')
  throw new CnmError('ERR_CNM_INVALID_ARGUMENT', `groups: ${JSON.stringify(name)} is none of ${known}`, { field: 'groups' })
}
