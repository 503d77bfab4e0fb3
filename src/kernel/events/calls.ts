import { CnmError } from '../../contracts/errors.js'
import type { Place } from '../../contracts/kernel-objects.js'
import { NETLINK_ROUTE } from '../handler.js'
import type { Session } from '../transaction/session.js'
import type { KernelEvent } from './event.js'
import { EventSocket, type Notification } from './event-socket.js'
import type { SourceRequest } from './groups.js'
import { latestOfLinks } from './latest-links.js'
import { assignNamespaceId } from './namespace-ids.js'
import { Places } from './places.js'
import { parseEvent } from './parse.js'
import { Receiver } from './receive.js'
import { nameThread } from './thread-name.js'
import { WakeSocket } from './wake-socket.js'

export interface EventSocketRequest extends SourceRequest {
  /** Also those of other namespaces that have a number. */
  allNamespaces: boolean
  bufferBytes: number
  /** See WatchOptions. */
  latest: boolean
  /** Port of the socket that wakes whoever asks, see {@link EventCalls.prepareWake}. */
  wake: number
}

export interface Drained {
  events: KernelEvent[]
  /** There may be more to read. */
  more: boolean
  /** There was nothing, and news wake again: until then, whoever asks looks again by himself. */
  listening: boolean
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
  wake: WakeSocket
  latest: boolean
}

/** Messages of one answer: other calls get their turn in between. */
const LIMIT = 500

/** The kernel thread's side of all watches of one kernel. */
export function eventCalls(using: Using): EventCalls & { close(): void } {
  const sockets = new Map<number, Opened>()
  const wakes = new Map<number, WakeSocket>()
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
    prepareWake: (port, allNamespaces) => void wakes.set(port, new WakeSocket(port, allNamespaces)),
    openEvents: ({ protocol, groups, kinds, latest, wake: port, ...options }) => {
      threadName()
      const wake = wakes.get(port)!
      const socket = using('watch', (session) => session.inside('host', () => new EventSocket(protocol, groups, options)))
      sockets.set(++last, { socket, kinds: new Set([...kinds, 'overrun']), latest, wake })
      if (protocol === NETLINK_ROUTE) using('watch', (session) => places.learn('host', session))
      return last
    },
    drainEvents: (id) => {
      const { socket, kinds, latest, wake } = opened(id)
      const memory = (receiver ??= new Receiver())
      const events: KernelEvent[] = []
      const drain = (): number => {
        let count = 0
        const counted = function* (): Generator<Notification | 'overrun'> {
          for (const notification of socket.drain(memory, LIMIT)) {
            count++
            yield notification
          }
        }
        for (const notification of latest ? latestOfLinks(counted()) : counted()) {
          if (notification === 'overrun') events.push({ kind: 'overrun' })
          else events.push(...parseEvent(notification, socket.protocol, places, threadName()))
        }
        return count
      }
      wake.listen(false)
      let count = drain()
      const listening = count === 0
      if (listening) {
        wake.listen(true)
        // What came before that woke nobody.
        count = drain()
      }
      return { events: events.filter(({ kind }) => kinds.has(kind)), more: count >= LIMIT, listening }
    },
    closeEvents: (id) => {
      const { socket, wake } = opened(id)
      socket.close()
      wake.close()
      sockets.delete(id)
      for (const [port, known] of wakes) if (known === wake) wakes.delete(port)
    },
    followNamespace: (at) =>
      using(`follow ${at}`, (session) => {
        places.follow(at, assignNamespaceId(session.socket('host', NETLINK_ROUTE), session.namespaceFd(at)))
        places.learn(at, session)
      }),
    unfollowNamespace: (at) => places.unfollow(at),
    close: () => {
      for (const { socket } of sockets.values()) socket.close()
      for (const wake of wakes.values()) wake.close()
      sockets.clear()
      receiver?.close()
    },
  }
}
