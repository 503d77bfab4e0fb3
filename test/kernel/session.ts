import { Resources } from '../../src/kernel/transaction/resources.js'
import { Session } from '../../src/kernel/transaction/session.js'

export interface OpenSession extends Disposable {
  session: Session
}

/** What handlers get to work with, on this thread. Sends of a handler happen at `session.flush()`. */
export function openSession(): OpenSession {
  const resources = new Resources()
  const session = new Session(resources)
  return {
    session,
    [Symbol.dispose]() {
      session.close()
      resources.close()
    },
  }
}
