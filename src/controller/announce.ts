import type { Description } from '../contracts/description.js'
import type { Place } from '../contracts/kernel-objects.js'
import type { Endpoint } from './endpoint.js'
import type { Sandbox } from './sandbox.js'

/**
 * Tells the neighbours where the endpoint's addresses are now. With arp_notify and ndisc_notify on, the kernel itself
 * sends gratuitous ARP and unsolicited neighbour advertisements whenever the interface's MAC is set, and when an
 * interface that has its addresses goes up: then it has announced once before the join returns.
 */
export function announce(endpoint: Endpoint, sandbox: Sandbox): void {
  const { core, network } = endpoint
  const { interfaceName } = endpoint
  if (interfaceName === undefined) return
  const { count, interval } = network.guardedDriver.announcements(endpoint.view(), network.view())
  const now = (left: number): void => {
    // On its way out, nobody needs to know any more.
    if (left <= 0 || endpoint.sandbox !== sandbox || endpoint.record.phase !== 'ready' || sandbox.record.phase !== 'ready') return
    core.kernel.announce(sandbox.record.namespace, interfaceName).catch(() => undefined)
    later(left - 1)
  }
  const later = (left: number): void => {
    if (left > 0) setTimeout(() => now(left), interval).unref()
  }
  if (goesUpLast(endpoint.record.description, sandbox.record.namespace, interfaceName)) later(count - 1)
  else now(count)
}

/** It is described by itself, not as an end of its pair: the engine raises it when it has its addresses. */
const goesUpLast = (description: Description, at: Place, name: string): boolean =>
  description.some((object) => object.kind === 'link' && object.at === at && object.name === name)
