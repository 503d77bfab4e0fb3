/** What iproute2 says, in the normal form of libcnm: the second opinion that our own parsers are compared with. */
import type { AddressObject, NeighbourObject, Place, PolicyRuleObject, RouteObject } from '../../src/contracts/kernel-objects.js'
import { has, json, list, number, plain, text, unless, type Json } from './rtnetlink-iproute2-json.js'
import type { World } from './rtnetlink-world.js'

export { sorted } from './rtnetlink-iproute2-json.js'
export { linksOf } from './rtnetlink-iproute2-links.js'
export { fdbOf, portsOf, qdiscsOf, vlansOf } from './rtnetlink-iproute2-bridge.js'

export function addressesOf(world: World, at: Place): AddressObject[] {
  return world.show('ip', at, 'address').flatMap((link) =>
    list(link.addr_info).map((entry) => {
      const own = String(entry.local)
      const usual =
        entry.family === 'inet'
          ? own.startsWith('127.')
            ? 'host'
            : 'global'
          : own.startsWith('fe80')
            ? 'link'
            : own === '::1'
              ? 'host'
              : 'global'
      return plain({
        kind: 'address',
        at,
        link: String(link.ifname),
        address: `${own}/${String(entry.prefixlen)}`,
        scope: unless(text(entry.scope), usual),
        peer: text(entry.address),
        broadcast: text(entry.broadcast),
        noPrefixRoute: entry.noprefixroute === true ? true : undefined,
        noDad: entry.nodad === true ? true : undefined,
        metric: number(entry.metric),
      } as AddressObject)
    }),
  )
}

const TABLES: Record<string, number> = { local: 255, main: 254, default: 253 }
const PROTOCOLS: Record<string, number> = { unspec: 0, redirect: 1, kernel: 2, boot: 3, static: 4, ra: 9, dhcp: 16 }
const MADE = new Set(['unicast', 'local', 'blackhole', 'unreachable', 'prohibit', 'throw'])

export function routesOf(world: World, at: Place): RouteObject[] {
  const four = world.show('ip', at, '-4', 'route', 'show', 'table', 'all').map((route) => routeOf(route, at, false))
  const six = world.show('ip', at, '-6', 'route', 'show', 'table', 'all').map((route) => routeOf(route, at, true))
  return [...four, ...six].filter(({ type }) => MADE.has(type ?? 'unicast'))
}

function routeOf(route: Json, at: Place, ipv6: boolean): RouteObject {
  const destination = String(route.dst)
  const gateway = text(route.gateway ?? json(route.via).host)
  const hops = route.nexthops as Json[] | undefined
  const foreign = gateway ?? text(hops?.[0]?.gateway)
  const type = String(route.type)
  const usual = type === 'local' ? 'host' : type === 'unicast' && gateway === undefined && hops === undefined ? 'link' : 'global'
  return plain({
    kind: 'route',
    at,
    destination: destination === 'default' || destination.includes('/') ? destination : `${destination}/${ipv6 ? 128 : 32}`,
    family: destination === 'default' && (ipv6 || foreign?.includes(':') === true) ? (ipv6 ? 6 : 4) : undefined,
    gateway,
    link: type === 'unicast' || type === 'local' ? text(route.dev) : undefined,
    nextHops: hops?.map((hop) =>
      plain({
        gateway: text(hop.gateway ?? json(hop.via).host),
        link: text(hop.dev),
        weight: unless(number(hop.weight), 1),
        onlink: has(hop.flags, 'onlink') ? true : undefined,
      }),
    ),
    metric: unless(number(route.metric ?? 0), ipv6 ? 1024 : 0),
    table: unless(TABLES[String(route.table)] ?? Number(route.table), 254),
    type: unless(type, 'unicast'),
    scope: ipv6 ? undefined : unless(String(route.scope), usual),
    onlink: has(route.flags, 'onlink') ? true : undefined,
    source: text(route.prefsrc),
    protocol: unless(PROTOCOLS[String(route.protocol)] ?? Number(route.protocol), 3),
    mtu: number(list(route.metrics)[0]?.mtu),
  } as RouteObject)
}

export function rulesOf(world: World, at: Place): PolicyRuleObject[] {
  return ([4, 6] as const).flatMap((family) =>
    world.show('ip', at, `-${family}`, 'rule').map((rule) =>
      plain({
        kind: 'policy-rule',
        at,
        family,
        priority: Number(rule.priority),
        from: prefix(rule.src, rule.srclen, family),
        to: prefix(rule.dst, rule.dstlen, family),
        iif: text(rule.iif),
        oif: text(rule.oif),
        mark: number(rule.fwmark),
        markMask: number(rule.fwmask),
        table: rule.table === undefined ? undefined : unless(TABLES[String(rule.table)] ?? Number(rule.table), 254),
        action: text(rule.action),
        suppressPrefixLength: number(rule.suppress_prefixlen),
        invert: rule.not === null ? true : undefined,
      } as PolicyRuleObject),
    ),
  )
}

const prefix = (address: unknown, length: unknown, family: 4 | 6): string | undefined =>
  address === undefined || address === 'all' ? undefined : `${String(address)}/${String(length ?? (family === 4 ? 32 : 128))}`

/** Without those that the kernel keeps by itself. */
export function neighboursOf(world: World, at: Place): NeighbourObject[] {
  const known = world.show('ip', at, 'neighbour', 'show', 'nud', 'all').flatMap((entry) => {
    const state = String((entry.state as string[])[0]).toLowerCase()
    if (state === 'incomplete' || state === 'failed' || /^(33:33|01:00:5e)/.test(String(entry.lladdr))) return []
    return [
      plain({
        kind: 'neighbour',
        at,
        link: String(entry.dev),
        address: String(entry.dst),
        mac: text(entry.lladdr),
        state: state === 'delay' || state === 'probe' ? 'stale' : unless(state, 'permanent'),
        router: entry.router === null ? true : undefined,
      } as NeighbourObject),
    ]
  })
  const proxies = world.show('ip', at, 'neighbour', 'show', 'proxy').map((entry) =>
    plain<NeighbourObject>({
      kind: 'neighbour',
      at,
      link: String(entry.dev),
      address: String(entry.dst),
      proxy: true,
      router: entry.router === null ? true : undefined,
    }),
  )
  return [...known, ...proxies]
}
