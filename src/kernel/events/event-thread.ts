import type { EventCalls } from './calls.js'

/** {@link EventCalls}, on the other side of the message port. */
export type EventThread = { [K in keyof EventCalls]: (...args: Parameters<EventCalls[K]>) => Promise<ReturnType<EventCalls[K]>> }

type Call = <K extends keyof EventCalls>(name: K, ...args: Parameters<EventCalls[K]>) => Promise<ReturnType<EventCalls[K]>>

/** From whatever carries calls to the kernel thread. */
export function eventThread(call: Call): EventThread {
  return {
    prepareWake: (...args) => call('prepareWake', ...args),
    openEvents: (...args) => call('openEvents', ...args),
    drainEvents: (...args) => call('drainEvents', ...args),
    closeEvents: (...args) => call('closeEvents', ...args),
    followNamespace: (...args) => call('followNamespace', ...args),
    unfollowNamespace: (...args) => call('unfollowNamespace', ...args),
  }
}
