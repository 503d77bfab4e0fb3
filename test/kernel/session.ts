import { NetlinkSocket } from '../../src/kernel/netlink/socket.js'
import { NamespaceFolders } from '../../src/kernel/namespace-files.js'
import { Namespaces } from '../../src/kernel/namespaces.js'
import { SpareMemory } from '../../src/kernel/netlink/spare-memory.js'
import { Session } from '../../src/kernel/transaction/session.js'

export interface OpenSession extends Disposable {
  session: Session
}

/** What handlers get to work with, on this thread. Sends of a handler happen at `session.flush()`. */
export function openSession(): OpenSession {
  const namespaces = new Namespaces()
  const homeSockets = new Map<number, NetlinkSocket>()
  const session = new Session({ namespaces, homeSockets, folders: new NamespaceFolders(), memory: new SpareMemory() })
  return {
    session,
    [Symbol.dispose]() {
      session.close()
      for (const socket of homeSockets.values()) socket.close()
      namespaces.close()
    },
  }
}
