import type { FirewallChain } from '../contracts/firewall.js'
import type { KernelObject } from '../contracts/kernel-objects.js'
import { canonical } from './canonical.js'

/** What makes two descriptions speak of the same kernel object. */
export type Identity = string

const ALL_ZERO_MAC = '00:00:00:00:00:00'
const MAIN_TABLE = 254

export function identity(object: KernelObject): Identity {
  switch (object.kind) {
    case 'namespace':
      return `${object.at} namespace`
    case 'link':
      return `${object.at} link ${object.name}`
    case 'address':
      return `${object.at} address ${object.link} ${object.address}`
    case 'route': {
      const family = object.family ?? (object.destination.includes(':') || object.gateway?.includes(':') ? 6 : 4)
      return `${object.at} route ${family} ${object.table ?? MAIN_TABLE} ${object.destination} ${object.metric ?? 0}`
    }
    case 'neighbour':
      return `${object.at} neighbour ${object.link} ${object.address}${object.proxy ? ' proxy' : ''}`
    case 'fdb': {
      const flood = object.mac === ALL_ZERO_MAC ? ` ${object.destination ?? ''}` : ''
      return `${object.at} fdb ${object.link} ${object.table ?? 'self'} ${object.mac} ${object.vlan ?? 0}${flood}`
    }
    case 'bridge-port':
    case 'features':
      return `${object.at} ${object.kind} ${object.link}`
    case 'bridge-vlan':
      return `${object.at} bridge-vlan ${object.link} ${object.id}${object.self ? ' self' : ''}`
    case 'sysctl':
      return `${object.at} sysctl ${object.path}`
    case 'xfrm-state':
      return `${object.at} xfrm-state ${object.destination} ${object.spi}`
    case 'qdisc':
      return `${object.at} qdisc ${object.link} ${object.parent ?? 'root'}`
    case 'mount':
      return `mount ${object.target}`
    case 'xfrm-policy': {
      const { direction, source, destination, protocol, sourcePort, destinationPort, mark } = object
      return `${object.at} xfrm-policy ${canonical({ direction, source, destination, protocol, sourcePort, destinationPort, mark })}`
    }
    case 'policy-rule':
      return `${object.at} policy-rule ${canonical(object)}`
    case 'nft-table':
    case 'nft-chain':
    case 'nft-set':
      return `${object.at} ${object.kind} ${object.family} ${object.kind === 'nft-table' ? '' : `${object.table} `}${object.name}`
    case 'nft-element':
      return `${object.at} nft-element ${object.family} ${object.table} ${object.set.name} ${canonical(object.key)}`
  }
}

/** Chains that the rules of this one jump or go to. */
export function chainTargets(chain: FirewallChain): string[] {
  const targets = new Set<string>()
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [key, child] of Object.entries(value)) {
      if ((key === 'jump' || key === 'goto') && typeof child === 'string') targets.add(child)
      else visit(child)
    }
  }
  visit(chain.rules)
  return [...targets]
}
