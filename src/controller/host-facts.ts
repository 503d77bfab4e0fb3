import type { LinkObject } from '../contracts/kernel-objects.js'
import type { HostFacts, HostLink, HostRoute, NodeView } from '../contracts/network-driver.js'
import type { Kernel } from '../kernel/index.js'
import type { Core } from './core.js'

const MAIN_TABLE = 254
const PROTOCOL_RA = 9

/** Reads what drivers may know of the host: default routes, and the links they named. Cost does not grow with the host. */
export async function readHostFacts(kernel: Kernel, instance: string, names: readonly string[], own?: NodeView): Promise<HostFacts> {
  const node = own && { ...own, ...(await linkOfAddress(kernel, own.address)) }
  const facts = await kernel.hostFacts(node?.link === undefined ? names : [...new Set([...names, node.link])])
  const links = new Map<string, HostLink>()
  for (const { link, addresses } of facts.links) links.set(link.name, hostLink(link, addresses))
  const defaultRoute: { 4?: HostRoute; 6?: HostRoute } = {}
  for (const route of facts.defaultRoutes) {
    const link = links.get(route.link ?? '')
    if (link === undefined) continue
    defaultRoute[route.family === 6 ? 6 : 4] ??= { link: link.name, mtu: link.mtu, advertised: route.protocol === PROTOCOL_RA }
  }
  const { ipv6, bridgeNetfilter, forwardDrops } = facts
  return { instance, defaultRoute, ipv6, bridgeNetfilter, forwardDrops, links, ...(node !== undefined && { node }) }
}

async function linkOfAddress(kernel: Kernel, address: string): Promise<{ link?: string }> {
  const found = (await kernel.list('host', ['address'])).find(
    (object) => object.kind === 'address' && object.address.split('/')[0] === address,
  )
  return found?.kind === 'address' ? { link: found.link } : {}
}

function hostLink(link: LinkObject & { foreignType?: string }, addresses: readonly string[]): HostLink {
  return {
    name: link.name,
    index: link.index ?? 0,
    type: link.type === 'existing' ? 'device' : link.type,
    mtu: link.mtu ?? 0,
    mac: link.mac,
    up: link.up ?? true,
    master: link.master,
    alias: link.alias,
    addresses,
  }
}

/** What the host reaches directly, and its name servers: an automatic pool must not take them. */
export async function prefixesInUse(core: Core): Promise<string[]> {
  const [routed, servers] = await Promise.all([routedPrefixes(core), core.names.hostServers()])
  return [...routed, ...servers.filter((server) => !server.includes('%')).map((server) => `${server}/${server.includes(':') ? 128 : 32}`)]
}

async function routedPrefixes(core: Core): Promise<string[]> {
  const routes = await core.kernel.list('host', ['route'])
  const prefixes: string[] = []
  for (const route of routes) {
    if ((route.table ?? MAIN_TABLE) !== MAIN_TABLE || route.gateway !== undefined || route.nextHops !== undefined) continue
    if (route.destination !== 'default' && !/\/0$/.test(route.destination)) prefixes.push(route.destination)
  }
  return prefixes
}
