/** Questions to the kernel about its ruleset. */
import { constants } from 'node:os'
import type { FirewallFamily, FirewallSet, FirewallTable } from '../../contracts/firewall.js'
import type { Place } from '../../contracts/kernel-objects.js'
import { CnmError } from '../../contracts/errors.js'
import { DumpError, type NetlinkSocket } from '../netlink/socket.js'
import type { MessageWriter } from '../netlink/writer.js'
import type { KernelElement } from './kernel-elements.js'
import {
  ANY_FAMILY,
  CHAIN,
  ELEMENT_LIST,
  familyNumber,
  GETCHAIN,
  GETGEN,
  GETRULE,
  GETSET,
  GETSETELEM,
  GETTABLE,
  RULE,
  SET,
} from './messages.js'
import { parseElements } from './parse-elements.js'
import { parseChain, parseGeneration, parseRule, parseTable, type ParsedChain, type ParsedRule } from './parse-objects.js'
import { parseSet, type ParsedSet } from './parse-set.js'

const { ENOENT } = constants.errno
const ATTEMPTS = 20

/** One table, `inet cnm`. */
export interface TableName {
  family: FirewallFamily
  table: string
}

/** The ruleset's number; every batch of anybody in the namespace changes it. */
export function generation(socket: NetlinkSocket): number {
  const { errno, replies } = socket.request(GETGEN, 0, (writer) => header(writer, ANY_FAMILY))
  const number = replies[0] === undefined ? undefined : parseGeneration(replies[0].payload)
  if (errno !== 0 || number === undefined) throw new DumpError(errno, 'no generation of the ruleset')
  return number
}

/** Runs several dumps until no change has come in between, so that they fit together. */
export function consistently<T>(socket: NetlinkSocket, body: () => T): T {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = generation(socket)
    const result = body()
    if (generation(socket) === before) return result
  }
  throw new CnmError('ERR_CNM_KERNEL', `the nftables ruleset changed ${ATTEMPTS} times in a row while it was read`)
}

export const dumpTables = (socket: NetlinkSocket, at: Place): FirewallTable[] =>
  socket.dump(
    GETTABLE,
    (writer) => header(writer, ANY_FAMILY),
    ({ payload }) => parseTable(payload, at),
  )

export function dumpChains(socket: NetlinkSocket, { family, table }: TableName): ParsedChain[] {
  const ask = (writer: MessageWriter): unknown => header(writer, familyNumber(family)).attrString(CHAIN.table, table)
  // The kernel tells the chains of all tables of the family.
  return dump(socket, GETCHAIN, ask, (payload) => parseChain(payload)).filter((chain) => chain.family === family && chain.table === table)
}

export function dumpRules(socket: NetlinkSocket, { family, table }: TableName, chain?: string): ParsedRule[] {
  const ask = (writer: MessageWriter): void => {
    header(writer, familyNumber(family)).attrString(RULE.table, table)
    if (chain !== undefined) writer.attrString(RULE.chain, chain)
  }
  return dump(socket, GETRULE, ask, (payload) => parseRule(payload))
}

export function dumpSets(socket: NetlinkSocket, { family, table }: TableName, at: Place): ParsedSet[] {
  const ask = (writer: MessageWriter): unknown => header(writer, familyNumber(family)).attrString(SET.table, table)
  return dump(socket, GETSET, ask, (payload) => parseSet(payload, at))
}

export function dumpElements(
  socket: NetlinkSocket,
  { family, table, name }: Pick<FirewallSet, 'family' | 'table' | 'name'>,
): KernelElement[] {
  const ask = (writer: MessageWriter): unknown =>
    header(writer, familyNumber(family)).attrString(ELEMENT_LIST.table, table).attrString(ELEMENT_LIST.set, name)
  return dump(socket, GETSETELEM, ask, (payload) => parseElements(payload)).flat()
}

/** What is gone has nothing. */
function dump<T>(
  socket: NetlinkSocket,
  type: number,
  ask: (writer: MessageWriter) => unknown,
  parse: (payload: Uint8Array) => T | undefined,
): T[] {
  try {
    return socket.dump(
      type,
      (writer) => void ask(writer),
      ({ payload }) => parse(payload),
    )
  } catch (error) {
    if (error instanceof DumpError && error.errno === ENOENT) return []
    throw error
  }
}

/** struct nfgenmsg */
const header = (writer: MessageWriter, family: number): MessageWriter => writer.u8(family).u8(0).u16(0)
