import type { Endpoint } from './endpoint.js'
import type { Sandbox } from './sandbox.js'

/**
 * Tells the neighbours where the endpoint's addresses are now. With arp_notify and ndisc_notify on, the kernel itself
 * sends gratuitous ARP and unsolicited neighbour advertisements whenever the interface's MAC is set.
 */
export function announce(endpoint: Endpoint, sandbox: Sandbox): void {
  const { core, network } = endpoint
  const { interfaceName } = endpoint
  if (interfaceName === undefined) return
  const { count, interval } = network.guardedDriver.announcements(endpoint.view(), network.view())
  const repeat = (left: number): void => {
    if (left <= 0 || endpoint.sandbox !== sandbox) return
    core.kernel.announce(sandbox.record.namespace, interfaceName).catch(() => undefined)
    setTimeout(() => repeat(left - 1), interval).unref()
  }
  repeat(count)
}
