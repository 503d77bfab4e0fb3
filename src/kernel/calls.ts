import { openNamespace } from './namespaces.js'
import { asCnmError } from './errors.js'
import { handlerOf } from './handlers.js'
import { mounts } from './mountinfo.js'
import { eventCalls, type EventCalls } from './events/calls.js'
import { hostCalls, type HostCalls } from './host-calls.js'
import type { ExitReport } from './process/messages.js'
import type { CallName, Calls, ListFilter } from './protocol.js'
import { questionCalls, type QuestionCalls } from './question-calls.js'
import { makeSocket } from './sockets.js'
import * as sys from './syscalls.js'
import { readSysctl, writeSysctl } from './sysctl.js'
import type { Resources } from './transaction/resources.js'
import { Session } from './transaction/session.js'
import type { KernelObject } from '../contracts/kernel-objects.js'

/** Calls that are answered at once, one after the other; transactions have a queue of their own. */
export type PlainCall = Exclude<CallName, 'transaction' | 'close' | keyof HostCalls | keyof EventCalls | keyof QuestionCalls>
type PlainCalls = HostCalls &
  EventCalls &
  QuestionCalls & { dispose(): void } & { [K in PlainCall]: (...args: Parameters<Calls[K]>) => ReturnType<Calls[K]> }

export function plainCalls(resources: Resources, exited: (report: ExitReport) => void): PlainCalls {
  const using = <T>(what: string, body: (session: Session) => T): T => {
    const session = new Session(resources)
    try {
      return body(session)
    } catch (error) {
      throw asCnmError(error, what, 'socket')
    } finally {
      session.close()
    }
  }
  const { close: closeHost, ...host } = hostCalls(using, exited)
  const { close: closeEvents, ...events } = eventCalls(using)
  return {
    ...host,
    ...events,
    ...questionCalls(using),
    dispose: () => {
      closeHost()
      closeEvents()
    },
    list: (at, kinds, filter) =>
      using(`list ${kinds.join(', ')}`, (session) =>
        kinds.flatMap((kind) => (handlerOf(kind).list?.(at, session) ?? []).filter((object) => matches(object, filter ?? {}))),
      ),
    checkNamespace: (at) => sys.close(openNamespace(at).fd),
    readSysctl: (at, path) => using(`sysctl ${path}`, (session) => session.inside(at, () => readSysctl(path))),
    writeSysctl: (at, path, value) => using(`sysctl -w ${path}=${value}`, (session) => session.inside(at, () => writeSysctl(path, value))),
    mounts: () => mounts(),
    socket: (at, request) => using(`${request.type} socket in ${at}`, (session) => makeSocket(at, request, session)),
  }
}

function matches(object: KernelObject, filter: ListFilter): boolean {
  const fields = object as unknown as Record<string, unknown>
  return Object.entries(filter).every(([field, value]) => fields[field] === value)
}
