import {
  requestIdOf,
  type Description,
  type FirewallChain,
  type FirewallRule,
  type HostFacts,
  type KernelObject,
  type NetworkView,
  type PairKey,
  type PairView,
  type SetShape,
  type Statement,
  type XfrmPolicyObject,
  type XfrmStateObject,
} from '../../src/contracts/index.js'
import type { OverlayOptions } from './network-options.js'

/**
 * Encrypted networks have UDP ports of their own. On these ports nothing leaves this host's address in clear, and nothing is
 * taken that did not come through IPsec from a host that shares a network: IPsec policies of the kernel say so, and again,
 * for what policies do not see (the loopback, interfaces on which they are switched off), two chains of nftables.
 */

type Network = NetworkView<OverlayOptions>

const UDP = 17
const PAIR_PRIORITY = 100
const REST_PRIORITY = 200
const CIPHER = 'rfc4106(gcm(aes))'
const TAG_BITS = 128
/** Packets: network cards with several queues, and several processors, change the order. */
const REPLAY_WINDOW = 2048
const EARLY = -300

const PORTS: SetShape = { name: 'encrypted-ports', key: ['inet_service'] }

/** What exists before, and without, any key: nothing passes. */
export function describeGuard({ options: { port } }: Network, host: HostFacts): Description {
  if (host.node === undefined) return []
  const { address } = host.node
  const common = { at: 'host', family: 'inet', table: host.instance } as const
  return [
    policy('out', 'block', { source: one(address), destination: any(address), destinationPort: port }, host),
    policy('in', 'block', { source: any(address), destination: any(address), destinationPort: port }, host),
    { kind: 'nft-table', at: 'host', family: 'inet', name: host.instance },
    { kind: 'nft-set', ...common, ...PORTS },
    { kind: 'nft-element', ...common, set: PORTS, key: [port] },
    ...chains(host.instance),
  ]
}

/** What exists for each host with which an encrypted network is shared; in the same words for every such network. */
export function describePair({ node, out, in: incoming }: PairView, { options: { port } }: Network, host: HostFacts): Description {
  if (host.node === undefined) return []
  const [here, there] = [host.node.address, node.address]
  return [
    ...out.map((key) => state(here, there, key, host)),
    ...incoming.map((key) => state(there, here, key, host)),
    // Without a key nothing may leave: that is what the guard says.
    ...(out.length > 0 ? [policy('out', 'allow', pairSelector(here, there, port), host)] : []),
    policy('in', 'allow', pairSelector(there, here, port), host),
  ]
}

function state(source: string, destination: string, { spi, key }: PairKey, { instance }: HostFacts): XfrmStateObject {
  return {
    kind: 'xfrm-state',
    at: 'host',
    source,
    destination,
    spi,
    mode: 'transport',
    requestId: requestIdOf(instance),
    aead: { name: CIPHER, key, icvBits: TAG_BITS },
    replayWindow: REPLAY_WINDOW,
    // 32 bits of sequence numbers last for an hour of 10 Gbit/s.
    esn: true,
  }
}

type Selector = Pick<XfrmPolicyObject, 'source' | 'destination' | 'destinationPort'>

/** What blocks has a template too, which says whose it is. */
function policy(direction: 'in' | 'out', action: 'allow' | 'block', selector: Selector, { instance }: HostFacts): XfrmPolicyObject {
  const [source, destination] = [selector.source, selector.destination].map((prefix) => prefix.split('/')[0]!) as [string, string]
  return {
    kind: 'xfrm-policy',
    at: 'host',
    direction,
    ...selector,
    protocol: UDP,
    priority: action === 'allow' ? PAIR_PRIORITY : REST_PRIORITY,
    action,
    templates: [{ source, destination, mode: 'transport', requestId: requestIdOf(instance), level: 'required' }],
  }
}

const one = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`
const any = (address: string): string => (address.includes(':') ? '::/0' : '0.0.0.0/0')
const pairSelector = (source: string, destination: string, port: number): Selector => ({
  source: one(source),
  destination: one(destination),
  destinationPort: port,
})

/** The same for all encrypted networks. */
function chains(table: string): KernelObject[] {
  const toPort: Statement = { match: { left: { payload: 'udp dport' }, op: '==', right: `@${PORTS.name}` } }
  const drop = (comment: string, ...clear: Statement[]): FirewallRule => ({ comment, statements: [toPort, ...clear, { drop: true }] })
  const chain = (hook: 'input' | 'output', rule: FirewallRule): FirewallChain => ({
    kind: 'nft-chain',
    at: 'host',
    family: 'inet',
    table,
    name: `encrypted-${hook}`,
    base: { type: 'filter', hook, priority: EARLY },
    rules: [rule],
  })
  return [
    chain('input', drop('came in clear', { match: { left: { meta: 'ipsec' }, op: '==', right: false } })),
    chain('output', drop('would leave in clear', { match: { left: { rt: 'ipsec' }, op: '==', right: false } })),
  ]
}
