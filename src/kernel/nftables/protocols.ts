import type { FirewallFamily } from '../../contracts/firewall.js'
import type { Match } from '../../contracts/firewall-rules.js'
import { refusal } from './refusal.js'
import { ETHER_TYPE, INET_PROTO, NF_PROTO, symbolNumber, type SymbolTable } from './symbols.js'

/** Headers that have fields; `th` stands for any transport protocol with ports. */
export type Protocol = 'ether' | 'vlan' | NetworkProtocol | TransportProtocol | 'th'
type NetworkProtocol = 'arp' | 'ip' | 'ip6'
type TransportProtocol = 'icmp' | 'icmpv6' | 'igmp' | 'tcp' | 'udp' | 'udplite' | 'sctp' | 'dccp' | 'esp' | 'ah'

const ALL: readonly string[] = [
  'ether',
  'vlan',
  'arp',
  'ip',
  'ip6',
  'icmp',
  'icmpv6',
  'igmp',
  'tcp',
  'udp',
  'udplite',
  'sctp',
  'dccp',
  'esp',
  'ah',
  'th',
] satisfies Protocol[]
const NETWORK_OF: Partial<Record<TransportProtocol, NetworkProtocol>> = { icmp: 'ip', igmp: 'ip', icmpv6: 'ip6' }

export const isProtocol = (name: string): name is Protocol => ALL.includes(name)

const equals = (left: Match['left'], right: string): Match => ({ left, op: '==', right })

/**
 * What a rule has made sure of about the headers of a packet, so that the kernel may read their fields. Knows which
 * matches must come before a field of a protocol, and learns from the matches that a rule makes itself.
 */
export class ProtocolContext {
  #link: 'ether' | 'vlan' | undefined
  #network: string | undefined
  #transport: number | undefined

  constructor(readonly family: FirewallFamily) {
    if (family === 'ip' || family === 'ip6' || family === 'arp') this.#network = family
    if (family === 'bridge') this.#link = 'ether'
  }

  /** Protocols whose fields may be read now, more specific ones first. */
  known(): Protocol[] {
    const transport = this.#transport === undefined ? undefined : INET_PROTO.find(([, number]) => number === this.#transport)?.[0]
    const names: (string | undefined)[] = [this.#link, this.#link === 'vlan' ? 'ether' : undefined, this.#network, transport, 'th']
    return names.filter((name): name is Protocol => name !== undefined && isProtocol(name))
  }

  /** The matches that are missing before fields of `protocol` can be read; afterwards they count as made. */
  need(protocol: Protocol): Match[] {
    if (protocol === 'th') return []
    if (protocol === 'ether') return this.#needEther()
    if (protocol === 'vlan') return this.#needVlan()
    if (protocol === 'ip' || protocol === 'ip6' || protocol === 'arp') return this.#needNetwork(protocol)
    return this.#needTransport(protocol)
  }

  /** Takes note of a match that the rule makes. */
  learn({ left, op, right }: Match): void {
    if (op !== '==' || (typeof right !== 'string' && typeof right !== 'number')) return
    const key = 'meta' in left ? left.meta : 'payload' in left && typeof left.payload === 'string' ? left.payload : undefined
    if (key === 'iiftype' && (right === 'ether' || right === 1)) this.#link ??= 'ether'
    else if (key === 'nfproto') this.#learnNetwork(networkOf(NF_PROTO, right))
    else if (key === 'protocol' || key === 'ether type' || key === 'vlan type') this.#learnNetwork(networkOf(ETHER_TYPE, right))
    else if (key === 'l4proto' || key === 'ip protocol' || key === 'ip6 nexthdr') this.#transport = numberOf(INET_PROTO, right)
    if (key === 'ether type' && numberOf(ETHER_TYPE, right) === 0x8100) this.#link = 'vlan'
  }

  #learnNetwork(network: string | undefined): void {
    if (network !== undefined) this.#network = network
  }

  #needEther(): Match[] {
    if (this.#link !== undefined) return []
    this.#link = 'ether'
    return [equals({ meta: 'iiftype' }, 'ether')]
  }

  #needVlan(): Match[] {
    if (this.#link === 'vlan') return []
    const before = this.#needEther()
    this.#link = 'vlan'
    return [...before, equals({ payload: 'ether type' }, '8021q')]
  }

  /** @param ofTransport not for a field of its own */
  #needNetwork(protocol: NetworkProtocol, ofTransport = false): Match[] {
    if (this.#network === protocol) return []
    if (this.#network !== undefined) throw refusal('payload', `a packet of ${this.#network} has no header of ${protocol}`)
    this.#network = protocol
    if (this.family === 'inet') {
      if (protocol === 'arp') throw refusal('payload', 'inet tables see no arp packets')
      return [equals({ meta: 'nfproto' }, protocol === 'ip' ? 'ipv4' : 'ipv6')]
    }
    if (this.#link === 'vlan') return [equals({ payload: 'vlan type' }, protocol)]
    if (this.#link === 'ether' && (protocol === 'arp' || ofTransport)) return [equals({ payload: 'ether type' }, protocol)]
    return [equals({ meta: 'protocol' }, protocol)]
  }

  #needTransport(protocol: TransportProtocol): Match[] {
    const number = symbolNumber(INET_PROTO, protocol)
    if (this.#transport === number) return []
    if (this.#transport !== undefined) throw refusal('payload', `a packet of protocol ${this.#transport} has no header of ${protocol}`)
    const network = NETWORK_OF[protocol]
    const before = network === undefined ? [] : this.#needNetwork(network, true)
    this.#transport = number
    return [...before, equals({ meta: 'l4proto' }, protocol)]
  }

  /** So that one can try what {@link need} says. */
  copy(): ProtocolContext {
    const copy = new ProtocolContext(this.family)
    copy.#link = this.#link
    copy.#network = this.#network
    copy.#transport = this.#transport
    return copy
  }
}

const numberOf = (table: SymbolTable, value: string | number): number | undefined =>
  typeof value === 'number' ? value : symbolNumber(table, value)

function networkOf(table: SymbolTable, value: string | number): string | undefined {
  const number = numberOf(table, value)
  const name = table.find((entry) => entry[1] === number)?.[0]
  return name === 'ipv4' || name === 'ip' ? 'ip' : name === 'ipv6' || name === 'ip6' ? 'ip6' : name === 'arp' ? 'arp' : undefined
}
