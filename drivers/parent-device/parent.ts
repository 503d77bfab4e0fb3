import {
  CnmError,
  macOfId,
  type Description,
  type HostFacts,
  type HostLink,
  type LinkObject,
  type NetworkView,
} from '../../src/contracts/index.js'
import type { ParentOptions } from './options.js'

/** Decided once, when the network is created: what the network makes must not change with what is found later. */
export type ParentState = {
  /** What comes and goes with the networks that have it: a VLAN of a device, a dummy device. `nothing`: the parent is somebody else's. */
  makes: 'vlan' | 'dummy' | 'nothing'
}

type Network = NetworkView<ParentOptions>

/** First letters of names that a driver makes from the network's id: `d` of dummies, `h` of interfaces on the host. */
export interface NamePrefixes {
  dummy: string
  host: string
}

const LOOPBACK = 'lo'
const FIRST_VLAN = 1
const LAST_VLAN = 4094

export const makes = (network: Network): ParentState['makes'] =>
  (network.state as ParentState | undefined)?.makes ?? (network.options.parent === undefined ? 'dummy' : 'nothing')

/** Device of the host that endpoints share. */
export const parentName = (network: Network, prefixes: NamePrefixes): string =>
  network.options.parent ?? `${prefixes.dummy}-${network.shortId}`

/** `eth0.100`: VLAN 100 of eth0. */
export function vlanOf(name: string): { base: string; id: number } | undefined {
  const [, base, digits] = /^(.+)\.(\d+)$/.exec(name) ?? []
  const id = Number(digits)
  return base === undefined || id < FIRST_VLAN || id > LAST_VLAN ? undefined : { base, id }
}

/** The parent, and the device that it is a VLAN of. */
export function parentLinks({ options: { parent } }: Network): string[] {
  if (parent === undefined) return []
  const vlan = vlanOf(parent)
  return vlan === undefined ? [parent] : [parent, vlan.base]
}

/** The parent as it is; before a VLAN of ours is made, the device that it will be on. */
export function findParent({ options: { parent } }: Network, host: HostFacts): HostLink | undefined {
  if (parent === undefined) return undefined
  return host.links.get(parent) ?? host.links.get(vlanOf(parent)?.base ?? '')
}

/**
 * Makes, adopts or refuses.
 * @throws CnmError ERR_CNM_LINK_NOT_FOUND, ERR_CNM_LINK_EXISTS for a device that another instance of libcnm made,
 *   ERR_CNM_INVALID_ARGUMENT, ERR_CNM_NOT_SUPPORTED
 */
export function decideParent({ ipv6, options: { parent } }: Network, host: HostFacts): ParentState {
  if (ipv6 && !host.ipv6) throw new CnmError('ERR_CNM_NOT_SUPPORTED', 'the kernel of this host has no IPv6', { field: 'enableIPv6' })
  if (parent === undefined) return { makes: 'dummy' }
  if (parent === LOOPBACK) throw refusal('parent', 'the loopback device leads nowhere')
  const link = host.links.get(parent)
  if (link === undefined) return decideVlan(parent, host)
  if (link.alias?.startsWith(`libcnm:${host.instance}:network/`) && link.type === 'vlan') return { makes: 'vlan' }
  if (link.alias?.startsWith('libcnm:') && !link.alias.startsWith(`libcnm:${host.instance}:`)) {
    const message = `parent ${parent} belongs to ${link.alias} and goes with it: make a device of your own`
    throw new CnmError('ERR_CNM_LINK_EXISTS', message, { field: 'options.parent' })
  }
  return { makes: 'nothing' }
}

function decideVlan(parent: string, host: HostFacts): ParentState {
  const vlan = vlanOf(parent)
  if (vlan !== undefined && host.links.has(vlan.base)) return { makes: 'vlan' }
  const why =
    vlan === undefined
      ? `and its name does not end in a VLAN (eth0.100; ${FIRST_VLAN} to ${LAST_VLAN}) that could be made`
      : `nor ${vlan.base}, to make VLAN ${vlan.id} on`
  throw new CnmError('ERR_CNM_LINK_NOT_FOUND', `parent: there is no link ${parent}, ${why}`, { field: 'options.parent' })
}

/** The parent, where it comes and goes with the network. The host itself takes no part in what is on it. */
export function describeParent(network: Network, host: HostFacts, prefixes: NamePrefixes): Description {
  const name = parentName(network, prefixes)
  const common = { kind: 'link', at: 'host', name, ipv6AddressGeneration: 'none' } as const
  const links: LinkObject[] = []
  if (makes(network) === 'dummy') links.push({ ...common, type: 'dummy', mac: macOfId('02', network.id) })
  const vlan = vlanOf(name)
  if (makes(network) === 'vlan' && vlan !== undefined) {
    links.push({ ...common, type: 'vlan', id: vlan.id, parent: { name: vlan.base }, looseBinding: true })
  }
  if (links.length === 0 || !host.ipv6) return links
  return [...links, { kind: 'sysctl', at: 'host', path: `net/ipv6/conf/${name}/disable_ipv6`, value: '1' }]
}

/** @throws CnmError ERR_CNM_LINK_NOT_FOUND when the parent has been removed or renamed since the network was created */
export function refuseLost(network: Network, host: HostFacts): void {
  const { parent } = network.options
  const needed = makes(network) === 'vlan' ? vlanOf(parent ?? '')?.base : parent
  if (parent === undefined || needed === undefined || host.links.has(needed)) return
  throw new CnmError(
    'ERR_CNM_LINK_NOT_FOUND',
    `parent ${needed} of network ${network.name} is gone: it was removed or has another name now`,
    {
      object: `link ${needed}`,
    },
  )
}

export const refusal = (option: string, message: string): CnmError =>
  new CnmError('ERR_CNM_INVALID_ARGUMENT', message, { field: `options.${option}` })
