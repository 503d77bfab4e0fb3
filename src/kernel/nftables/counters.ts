import type { FirewallElement } from '../../contracts/firewall.js'
import type { Place } from '../../contracts/kernel-objects.js'
import type { NetlinkSocket } from '../netlink/socket.js'
import { consistently, dumpElements, dumpRules, type TableName } from './dump.js'
import { namedSets } from './list.js'
import { firewallElements } from './parse-elements.js'

/** What the counters of a table have counted, since their rule or element was made. */
export interface FirewallCounters {
  rules: {
    chain: string
    /** Place of the rule in its chain, from 0. */
    rule: number
    comment?: string
    packets: bigint
    bytes: bigint
  }[]
  elements: { element: FirewallElement; packets: bigint; bytes: bigint }[]
}

/** Of a rule with several counters the first. */
export function readCounters(socket: NetlinkSocket, at: Place, table: TableName): FirewallCounters {
  return consistently(socket, () => ({ rules: ruleCounters(socket, table), elements: elementCounters(socket, at, table) }))
}

function ruleCounters(socket: NetlinkSocket, table: TableName): FirewallCounters['rules'] {
  const next = new Map<string, number>()
  return dumpRules(socket, table).flatMap(({ chain, instructions, comment }) => {
    const rule = next.get(chain) ?? 0
    next.set(chain, rule + 1)
    const counter = instructions.find((instruction) => instruction.name === 'counter')
    if (counter?.name !== 'counter') return []
    const { packets = 0n, bytes = 0n } = counter
    return [{ chain, rule, ...(comment !== undefined && { comment }), packets, bytes }]
  })
}

function elementCounters(socket: NetlinkSocket, at: Place, table: TableName): FirewallCounters['elements'] {
  const counting = namedSets({ socket, at }, table).filter((set) => set.counter === true)
  return counting.flatMap((set) =>
    firewallElements(set, dumpElements(socket, set)).flatMap(({ element, counter }) =>
      counter === undefined ? [] : [{ element, ...counter }],
    ),
  )
}
