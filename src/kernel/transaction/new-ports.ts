import type { Operation } from '../../contracts/operations.js'
import { readFacts } from '../rtnetlink/index.js'
import type { Session } from './session.js'

/**
 * A new port of a bridge drops what comes until the kernel has taken notice that its other end is up. It does so some
 * milliseconds later by itself, or at once when it is asked for the port (rtnl_getlink(), since Linux 6.8): so a packet
 * that is sent when the transaction is over gets through.
 */
export function haveNewPortsForward(operations: readonly Operation[], session: Session): void {
  for (const operation of operations) {
    if (operation.do !== 'create' || operation.object.kind !== 'link') continue
    const { object } = operation
    if (object.type === 'veth' && object.master !== undefined) readFacts(session, object.at, object.name)
  }
}
