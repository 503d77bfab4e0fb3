import type { FirewallChain, FirewallObject, FirewallRule } from '../../src/contracts/firewall.js'
import type { AddressObject, Place } from '../../src/contracts/kernel-objects.js'
import { RESOLVER_ADDRESS, RESOLVER_ADDRESS_6 } from './contract.js'

const DNS_PORT = 53
/** nft's `raw` and `mangle`: before connection tracking and after it, so that it sees the resolver's own port both ways. */
const BEFORE_TRACKING = -300
const AFTER_TRACKING = -150

/** Ports that the kernel chose for a sandbox's sockets. */
export interface ResolverPorts {
  udp: number
  tcp: number
}

export interface RedirectOptions {
  /** The sandbox's namespace. */
  at: Place
  /** Name of the table, which is ours alone. */
  table: string
  /** Of the sockets at {@link RESOLVER_ADDRESS}. */
  ipv4?: ResolverPorts
  /** Of the sockets at {@link RESOLVER_ADDRESS_6}. */
  ipv6?: ResolverPorts
}

/**
 * The table of a sandbox that leads port 53 of the resolver's address to the ports where the resolver listens, so that
 * port 53 of every other address, 0.0.0.0 included, is the sandbox's own. The port is written into questions and
 * answers: without NAT a sandbox needs no connection tracking, which would keep every question for half a minute.
 */
export function resolverRedirect({ at, table, ipv4, ipv6 }: RedirectOptions): FirewallObject[] {
  const targets: Target[] = []
  for (const protocol of ['udp', 'tcp'] as const) {
    if (ipv4 !== undefined) targets.push({ family: 'ip', address: RESOLVER_ADDRESS, protocol, port: ipv4[protocol] })
    if (ipv6 !== undefined) targets.push({ family: 'ip6', address: RESOLVER_ADDRESS_6, protocol, port: ipv6[protocol] })
  }
  const chain = (name: string, priority: number, rule: (target: Target) => FirewallRule): FirewallChain => ({
    kind: 'nft-chain',
    at,
    family: 'inet',
    table,
    name,
    base: { type: 'filter', hook: 'output', priority, policy: 'accept' },
    rules: targets.map(rule),
  })
  return [
    { kind: 'nft-table', at, family: 'inet', name: table },
    chain('resolver-questions', BEFORE_TRACKING, leadIn),
    chain('resolver-answers', AFTER_TRACKING, leadBack),
  ]
}

interface Target {
  family: 'ip' | 'ip6'
  address: string
  protocol: 'udp' | 'tcp'
  port: number
}

/** `ip daddr 127.0.0.11 udp dport 53 udp dport set 40053` */
function leadIn({ family, address, protocol, port }: Target): FirewallRule {
  return {
    statements: [
      { match: { left: { payload: `${family} daddr` }, op: '==', right: address } },
      { match: { left: { payload: `${protocol} dport` }, op: '==', right: DNS_PORT } },
      { mangle: { key: { payload: `${protocol} dport` }, value: port } },
    ],
  }
}

/** `ip saddr 127.0.0.11 udp sport 40053 udp sport set 53` */
function leadBack({ family, address, protocol, port }: Target): FirewallRule {
  return {
    statements: [
      { match: { left: { payload: `${family} saddr` }, op: '==', right: address } },
      { match: { left: { payload: `${protocol} sport` }, op: '==', right: port } },
      { mangle: { key: { payload: `${protocol} sport` }, value: DNS_PORT } },
    ],
  }
}

/** The resolver's IPv6 address on the sandbox's `lo`; nobody else can use it, so it is not looked for on any link. */
export function resolverAddress6(at: Place): AddressObject {
  return { kind: 'address', at, link: 'lo', address: `${RESOLVER_ADDRESS_6}/128`, scope: 'host', noDad: true }
}
