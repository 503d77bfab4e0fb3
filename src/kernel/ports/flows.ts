import { deleteFlows, FLOW_STATUS, listFlows, type Flow } from '../conntrack/index.js'
import type { NetlinkSocket } from '../netlink/socket.js'

/** A published port, or a range of them, whose known connections are out of date. */
export interface PublishedPorts {
  protocol: 'tcp' | 'udp' | 'sctp'
  family: 4 | 6
  first: number
  last: number
  /** Host address; absent: every one. */
  address?: string
  /** Where the ports lead, or led: address, and the port that `first` becomes. */
  target: string
  targetPort: number
}

const PROTOCOL = { tcp: 6, udp: 17, sctp: 132 } as const
/** Beyond this many ports one look at the whole table is cheaper than one for each. */
const SEPARATE_LOOKS = 8

/**
 * Deletes what the kernel remembers of connections to these ports, so that their next packet is led by the rules that
 * hold now: flows that were translated to `target`, and flows of the same host address and port that were not
 * translated at all. Flows that only pass through, or lead to another target, stay.
 * @param isLocal whether an address is the host's own
 * @returns how many went
 */
export function forgetFlows(socket: NetlinkSocket, ports: readonly PublishedPorts[], isLocal: (address: string) => boolean): number {
  const byPort = new Map<string, PublishedPorts[]>()
  for (const each of ports) {
    for (let port = each.first; port <= each.last; port++) {
      const key = keyOf(each.family, PROTOCOL[each.protocol], port)
      byPort.set(key, [...(byPort.get(key) ?? []), each])
    }
  }
  const flows = byPort.size <= SEPARATE_LOOKS ? ports.flatMap((each) => lookSeparately(socket, each)) : lookOnce(socket, ports)
  const stale = flows.filter((flow) => {
    const candidates = byPort.get(keyOf(flow.family, flow.original.protocol, flow.original.destinationPort))
    return candidates?.some((each) => isStale(flow, each, isLocal)) ?? false
  })
  return deleteFlows(socket, stale)
}

const keyOf = (family: number, protocol: number, port: number | undefined): string => `${family} ${protocol} ${port}`

function lookSeparately(socket: NetlinkSocket, { protocol, family, first, last }: PublishedPorts): Flow[] {
  const flows: Flow[] = []
  for (let port = first; port <= last; port++) flows.push(...listFlows(socket, { family, original: { protocol, destinationPort: port } }))
  return flows
}

function lookOnce(socket: NetlinkSocket, ports: readonly PublishedPorts[]): Flow[] {
  const kinds = new Map(ports.map(({ family, protocol }) => [`${family} ${protocol}`, { family, protocol }]))
  return [...kinds.values()].flatMap(({ family, protocol }) => listFlows(socket, { family, original: { protocol } }))
}

function isStale({ original, reply, status }: Flow, ports: PublishedPorts, isLocal: (address: string) => boolean): boolean {
  if (ports.address !== undefined && ports.address !== original.destination) return false
  if ((status & FLOW_STATUS.destinationNat) === 0) return isLocal(original.destination)
  return reply.source === ports.target && reply.sourcePort === ports.targetPort + original.destinationPort! - ports.first
}
