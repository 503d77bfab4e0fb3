import { CnmError } from '../../contracts/errors.js'
import type { Place } from '../../contracts/kernel-objects.js'
import { NETLINK_ROUTE } from '../handler.js'
import type { Session } from '../transaction/session.js'
import type { KernelEvent } from './event.js'
import { EventSocket } from './event-socket.js'
import type { SourceRequest } from './groups.js'
import { assignNamespaceId } from './namespace-ids.js'
import { Places } from './places.js'
import { parseEvent } from './parse.js'
import { Receiver } from './receive.js'
import { nameThread } from './thread-name.js'
import { prepareWakeSocket } from './wake-socket.js'

export interface EventSocketRequest extends SourceRequest {
  /** Also those of other namespaces that have a number. */
  allNamespaces: boolean
  bufferBytes: number
}

export interface Drained {
  events: KernelEvent[]
  /** There may be more to read. */
  more: boolean
}

/** What the kernel thread does for a watch. */
export interface EventCalls {
  prepareWake(port: number, allNamespaces: boolean): void
  /** @returns a number for the others */
  openEvents(request: EventSocketRequest): number
  drainEvents(id: number): Drained
  closeEvents(id: number): void
  /** Gives the namespace a number, so that its events arrive, and calls it by this name in them. */
  followNamespace(at: Place): void
  unfollowNamespace(at: Place): void
}

type Using = <T>(what: string, body: (session: Session) => T) => T

interface Opened {
  socket: EventSocket
  kinds: Set<KernelEvent['kind']>
}

/** Messages of one answer: other calls get their turn in between. */
const LIMIT = 500

/** The kernel thread's side of all watches of one kernel. */
export function eventCalls(using: Using): EventCalls & { close(): void } {
  const sockets = new Map<number, Opened>()
  const places = new Places()
  let receiver: Receiver | undefined
  let last = 0
  let name: string | undefined
  const threadName = (): string => (name ??= nameThread())
  const opened = (id: number): Opened => {
    const found = sockets.get(id)
    if (found === undefined) throw new CnmError('ERR_CNM_CLOSED', 'this watch is closed')
    return found
  }
  return {
    prepareWake: (port, allNamespaces) => prepareWakeSocket(port, allNamespaces),
    openEvents: ({ protocol, groups, kinds, ...options }) => {
      threadName()
      const socket = using('watch', (session) => session.inside('host', () => new EventSocket(protocol, groups, options)))
      sockets.set(++last, { socket, kinds: new Set([...kinds, 'overrun']) })
      if (protocol === NETLINK_ROUTE) using('watch', (session) => places.learn('host', session))
      return last
    },
    drainEvents: (id) => {
      const { socket, kinds } = opened(id)
      receiver ??= new Receiver()
      const events: KernelEvent[] = []
      let count = 0
      for (const notification of socket.drain(receiver, LIMIT)) {
        count++
        if (notification === 'overrun') events.push({ kind: 'overrun' })
        else events.push(...parseEvent(notification, socket.protocol, places, threadName()))
      }
      return { events: events.filter(({ kind }) => kinds.has(kind)), more: count >= LIMIT }
    },
    closeEvents: (id) => {
      opened(id).socket.close()
      sockets.delete(id)
    },
    followNamespace: (at) =>
      using(`follow ${at}`, (session) => {
        places.follow(at, assignNamespaceId(session.socket('host', NETLINK_ROUTE), session.namespaceFd(at)))
        places.learn(at, session)
      }),
    unfollowNamespace: (at) => places.unfollow(at),
    close: () => {
      for (const { socket } of sockets.values()) socket.close()
      sockets.clear()
      receiver?.close()
    },
  }
}
