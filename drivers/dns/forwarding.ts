import type { DnsForwarding, DnsServer } from './contract.js'

/** What decides where a sandbox's questions go. */
export interface ForwardingChoice {
  /** The sandbox's own servers. */
  own: readonly DnsServer[]
  /** Those of its networks, in the order of the networks. */
  networks: readonly (readonly DnsServer[])[]
  /** All of its networks are internal, or it has none: nothing of it may leave the host. */
  internal: boolean
}

/**
 * The sandbox's own servers, else those of its networks, else the host's. Servers that were named for it are asked from
 * its own namespace, and so only where it could ask them itself; the host's servers are asked from the host, and never
 * for a sandbox that has no way out: questions would be one.
 */
export function chooseForwarding({ own, networks, internal }: ForwardingChoice): DnsForwarding {
  const servers = own.length > 0 ? own : unique(networks.flat())
  if (servers.length > 0) return { to: 'servers', servers, from: 'sandbox' }
  return internal ? { to: 'none' } : { to: 'host' }
}

function unique(servers: readonly DnsServer[]): DnsServer[] {
  return [...new Map(servers.map((server) => [`${server.address}#${server.port ?? 53}`, server])).values()]
}
