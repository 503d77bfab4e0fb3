import type { FirewallChain, FirewallObject, FirewallRule } from '../../src/contracts/firewall.js'
import type { AddressObject, Place } from '../../src/contracts/kernel-objects.js'
import { RESOLVER_ADDRESS, RESOLVER_ADDRESS_6 } from './contract.js'

const DNS_PORT = 53
/** nft's `dstnat` (in the output hook) and `srcnat`. */
const DESTINATION_NAT = -100
const SOURCE_NAT = 100

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
 * port 53 of every other address, 0.0.0.0 included, is the sandbox's own. Answers find back by connection tracking; the
 * second chain does the same for answers of connections that it has forgotten.
 */
export function resolverRedirect({ at, table, ipv4, ipv6 }: RedirectOptions): FirewallObject[] {
  const targets: Target[] = []
  for (const protocol of ['udp', 'tcp'] as const) {
    if (ipv4 !== undefined) targets.push({ family: 'ip', address: RESOLVER_ADDRESS, protocol, port: ipv4[protocol] })
    if (ipv6 !== undefined) targets.push({ family: 'ip6', address: RESOLVER_ADDRESS_6, protocol, port: ipv6[protocol] })
  }
  const chain = (
    name: string,
    priority: number,
    hook: 'output' | 'postrouting',
    rule: (target: Target) => FirewallRule,
  ): FirewallChain => ({
    kind: 'nft-chain',
    at,
    family: 'inet',
    table,
    name,
    base: { type: 'nat', hook, priority, policy: 'accept' },
    rules: targets.map(rule),
  })
  return [
    { kind: 'nft-table', at, family: 'inet', name: table },
    chain('resolver-questions', DESTINATION_NAT, 'output', leadIn),
    chain('resolver-answers', SOURCE_NAT, 'postrouting', leadBack),
  ]
}

interface Target {
  family: 'ip' | 'ip6'
  address: string
  protocol: 'udp' | 'tcp'
  port: number
}

/** `ip daddr 127.0.0.11 udp dport 53 dnat ip to 127.0.0.11:40053` */
function leadIn({ family, address, protocol, port }: Target): FirewallRule {
  return {
    statements: [
      { match: { left: { payload: `${family} daddr` }, op: '==', right: address } },
      { match: { left: { payload: `${protocol} dport` }, op: '==', right: DNS_PORT } },
      { dnat: { family, address, port } },
    ],
  }
}

/** `ip saddr 127.0.0.11 udp sport 40053 snat ip to 127.0.0.11:53` */
function leadBack({ family, address, protocol, port }: Target): FirewallRule {
  return {
    statements: [
      { match: { left: { payload: `${family} saddr` }, op: '==', right: address } },
      { match: { left: { payload: `${protocol} sport` }, op: '==', right: port } },
      { snat: { family, address, port: DNS_PORT } },
    ],
  }
}

/** The resolver's IPv6 address on the sandbox's `lo`; nobody else can use it, so it is not looked for on any link. */
export function resolverAddress6(at: Place): AddressObject {
  return { kind: 'address', at, link: 'lo', address: `${RESOLVER_ADDRESS_6}/128`, scope: 'host', noDad: true }
}
