import { randomInt } from 'node:crypto'
import { constants } from 'node:os'
import type { Acknowledgement, NetlinkSocket } from '../netlink/socket.js'
import { askLink, deleteLink, deleteLinkGroup, linkSummary, setLinkGroup, type LinkSummary } from './link-messages.js'

const { ENODEV } = constants.errno
/** Group numbers that nobody uses: people and programs take small ones. */
const GROUP_FROM = 2 ** 30
const GROUP_TO = 2 ** 31 - 1
/** Answers to this many questions fit a default receive buffer. */
const ASK_AT_ONCE = 24

export interface Refusal {
  errno: number
  text?: string
}

/** Links as they are, by index; of those that are gone there is none. */
export function askLinks(socket: NetlinkSocket, indexes: readonly number[]): Map<number, LinkSummary> {
  const found = new Map<number, LinkSummary>()
  for (let from = 0; from < indexes.length; from += ASK_AT_ONCE) {
    const writer = socket.writer()
    for (const index of indexes.slice(from, from + ASK_AT_ONCE)) askLink(writer, index)
    for (const { replies } of socket.exchange(writer)) {
      const summary = replies[0] === undefined ? undefined : linkSummary(replies[0])
      if (summary !== undefined) found.set(summary.index, summary)
    }
  }
  return found
}

/**
 * Removes links of one namespace together: the kernel waits for its grace periods once, not once per link. A link that
 * is gone already counts as removed.
 * @returns what was refused, by index
 */
export function removeLinks(socket: NetlinkSocket, indexes: readonly number[]): Map<number, Refusal> {
  if (indexes.length > 1 && removeTogether(socket, indexes)) return new Map()
  const refused = new Map<number, Refusal>()
  for (const index of indexes) {
    const writer = socket.writer()
    deleteLink(writer, index)
    const [answer] = socket.exchange(writer)
    if (answer !== undefined && isRefusal(answer)) refused.set(index, { errno: answer.errno, text: answer.text })
  }
  return refused
}

function removeTogether(socket: NetlinkSocket, indexes: readonly number[]): boolean {
  const group = randomInt(GROUP_FROM, GROUP_TO)
  const writer = socket.writer()
  for (const index of indexes) setLinkGroup(writer, index, group)
  if (socket.exchange(writer).some(isRefusal)) return false
  const removal = socket.writer()
  deleteLinkGroup(removal, group)
  return !socket.exchange(removal).some(isRefusal)
}

const isRefusal = ({ errno }: Acknowledgement): boolean => errno !== 0 && errno !== ENODEV
