import { eventCalls } from '../../src/kernel/events/calls.js'
import type { EventThread } from '../../src/kernel/events/index.js'
import { openSession } from './session.js'

/** The kernel thread's side of a watch, carried out on this thread: for tests of one side at a time. */
export function eventThread(): EventThread & Disposable {
  const calls = eventCalls((_what, body) => {
    const open = openSession()
    try {
      return body(open.session)
    } finally {
      open[Symbol.dispose]()
    }
  })
  const names = ['prepareWake', 'openEvents', 'drainEvents', 'closeEvents', 'followNamespace', 'unfollowNamespace'] as const
  const thread = Object.fromEntries(
    names.map((name) => [name, async (...args: unknown[]) => (calls[name] as (...all: unknown[]) => unknown)(...args)]),
  )
  return {
    ...(thread as unknown as EventThread),
    [Symbol.dispose]() {
      calls.close()
    },
  }
}
