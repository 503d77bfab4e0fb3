import type { Place } from '../contracts/kernel-objects.js'
import * as conntrack from './conntrack/index.js'
import type { Flow, FlowFilter, OriginalDestination } from './conntrack/index.js'
import { NETLINK_GENERIC, NETLINK_NETFILTER } from './handler.js'
import type { NetlinkSocket } from './netlink/socket.js'
import { probe, type Capabilities, type FeatureName } from './probe/index.js'
import type { Session } from './transaction/session.js'
import { linkStatistics, type LinkStatistics } from './rtnetlink/index.js'
import { readWireguard, type WireguardState } from './wireguard/index.js'

/** What the kernel thread tells, and forgets, about things that are no objects of a description. */
export interface QuestionCalls {
  probe(names: readonly FeatureName[] | null): Capabilities
  listFlows(at: Place, filter: FlowFilter): Flow[]
  deleteFlows(at: Place, flows: readonly Flow[]): number
  deleteMatchingFlows(at: Place, filter: FlowFilter): number
  deleteFlowsTo(at: Place, destination: OriginalDestination): number
  deleteFlowsOf(at: Place, address: string): number
  readWireguard(at: Place, link: string): WireguardState
  linkStatistics(at: Place, links: readonly string[]): LinkStatistics[]
}

type Using = <T>(what: string, body: (session: Session) => T) => T

export function questionCalls(using: Using): QuestionCalls {
  const flows = <T>(what: string, at: Place, body: (socket: NetlinkSocket) => T): T =>
    using(what, (session) => body(session.socket(at, NETLINK_NETFILTER)))
  return {
    probe: (names) => probe(names ?? undefined),
    listFlows: (at, filter) => flows('conntrack -L', at, (socket) => conntrack.listFlows(socket, filter)),
    deleteFlows: (at, found) => flows('conntrack -D', at, (socket) => conntrack.deleteFlows(socket, found)),
    deleteMatchingFlows: (at, filter) => flows('conntrack -D', at, (socket) => conntrack.deleteMatchingFlows(socket, filter)),
    deleteFlowsTo: (at, destination) => flows('conntrack -D', at, (socket) => conntrack.deleteFlowsTo(socket, destination)),
    deleteFlowsOf: (at, address) => flows('conntrack -D', at, (socket) => conntrack.deleteFlowsOf(socket, address)),
    linkStatistics: (at, links) => using(`statistics of ${at}`, (session) => links.map((link) => linkStatistics(session, at, link))),
    readWireguard: (at, link) => using(`wg show ${link}`, (session) => readWireguard(session.socket(at, NETLINK_GENERIC), link)),
  }
}
