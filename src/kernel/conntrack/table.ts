import { CnmError } from '../../contracts/errors.js'
import { asCnmError, kernelError } from '../errors.js'
import { ipBytes, ipFamily } from '../netlink/ip.js'
import type { NetlinkSocket } from '../netlink/socket.js'
import { NLM_F_ACK } from '../netlink/writer.js'
import * as cta from './attributes.js'
import { checkFilter, matches, writeFilter, writeTuple, type CheckedFilter, type FlowFilter } from './filter.js'
import type { Flow } from './flow.js'
import { parseFlow } from './parse.js'
import { protocolNumber, type Protocol } from './protocols.js'

const ENOENT = 2
/** Messages per send(2): their answers must fit into the socket's receive buffer. */
const BATCH = 100

/** What a published port was translated from. */
export interface OriginalDestination {
  address: string
  protocol: Protocol
  /** Absent for protocols without ports. */
  port?: number
}

/**
 * Connections of the network namespace of the socket (NETLINK_NETFILTER). The kernel applies the filter as far as it
 * can, so that looking for a few among many costs little.
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT, ERR_CNM_NOT_PERMITTED, ERR_CNM_NOT_SUPPORTED
 */
export function listFlows(socket: NetlinkSocket, filter: FlowFilter = {}): Flow[] {
  return dump(socket, checkFilter(filter))
}

/**
 * Deletes the flows given, and no others: one that is gone, or whose tuple belongs to another by now, is passed over.
 * @returns how many went
 */
export function deleteFlows(socket: NetlinkSocket, flows: readonly Flow[]): number {
  let deleted = 0
  for (let at = 0; at < flows.length; at += BATCH) deleted += deleteBatch(socket, flows.slice(at, at + BATCH))
  return deleted
}

/**
 * Deletes every flow that {@link listFlows} finds by the same filter.
 * @returns how many went
 * @throws CnmError ERR_CNM_INVALID_ARGUMENT when the filter has no condition: nothing here empties the table
 */
export function deleteMatchingFlows(socket: NetlinkSocket, filter: FlowFilter): number {
  const { original, reply, ...others } = checkFilter(filter)
  if (Object.keys({ ...original, ...reply, ...others }).length === 0) {
    throw new CnmError('ERR_CNM_INVALID_ARGUMENT', 'filter: without a condition it would delete every connection', { field: 'filter' })
  }
  return deleteFlows(socket, listFlows(socket, filter))
}

/**
 * Deletes the flows that were addressed to this address and port before any translation: after a published port
 * changed, they would go on to the old target (UDP until it falls silent).
 */
export function deleteFlowsTo(socket: NetlinkSocket, { address, protocol, port }: OriginalDestination): number {
  const original = { destination: address, protocol: protocolNumber(protocol), ...(port === undefined ? {} : { destinationPort: port }) }
  return deleteMatchingFlows(socket, { original })
}

/** Deletes the flows that have this address at either end, before or after translation. */
export function deleteFlowsOf(socket: NetlinkSocket, address: string): number {
  const ends = [{ source: address }, { destination: address }]
  const filters: FlowFilter[] = [...ends.map((original) => ({ original })), ...ends.map((reply) => ({ reply }))]
  const found = new Map<string, Flow>()
  for (const flow of filters.flatMap((filter) => listFlows(socket, filter))) {
    found.set(`${flow.id} ${flow.zone} ${JSON.stringify(flow.original)}`, flow)
  }
  return deleteFlows(socket, [...found.values()])
}

function dump(socket: NetlinkSocket, filter: CheckedFilter): Flow[] {
  try {
    return socket.dump(
      cta.CT_GET,
      (writer) => writeFilter(writer, filter),
      ({ payload }) => {
        const flow = parseFlow(payload)
        return flow !== undefined && matches(flow, filter) ? flow : undefined
      },
    )
  } catch (error) {
    throw asCnmError(error, 'conntrack -L')
  }
}

function deleteBatch(socket: NetlinkSocket, flows: readonly Flow[]): number {
  const writer = socket.writer()
  for (const { original, id, zone } of flows) {
    const family = ipFamily(ipBytes(original.source))
    // Without a tuple this message would empty the table; it always has one. The id holds for this very flow.
    writer.begin(cta.CT_DELETE, NLM_F_ACK).u8(family).u8(0).u16be(0)
    writeTuple(writer, cta.TUPLE_ORIG, original)
    writer.attrU32be(cta.ID, id)
    if (zone !== 0) writer.attrU16be(cta.ZONE, zone)
    writer.end()
  }
  let deleted = 0
  for (const { errno, text } of socket.exchange(writer)) {
    if (errno === 0) deleted++
    else if (errno !== ENOENT) throw kernelError({ errno, text, operation: 'conntrack -D' })
  }
  return deleted
}
