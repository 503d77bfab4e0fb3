import type { LinkObject } from '../../../contracts/kernel-objects.js'
import { inNamespace } from '../describe-place.js'

/** The nearest ip(8) command. */
export function describeLink(action: 'create' | 'change' | 'delete', link: LinkObject): string {
  const ip = inNamespace('ip', link.at)
  if (action === 'delete' && link.type !== 'existing') return `${ip} link delete ${link.name}`
  if (action !== 'create' || link.type === 'existing') return `${ip} link set ${link.name}${settings(link)}`
  const parent = 'parent' in link && link.parent !== undefined ? ` link ${link.parent.name}` : ''
  return `${ip} link add${parent} ${link.name}${settings(link)} type ${link.type}${details(link)}`
}

function settings({ mac, mtu, master, alias, up }: LinkObject): string {
  const words = [
    mac === undefined ? '' : ` address ${mac}`,
    mtu === undefined ? '' : ` mtu ${mtu}`,
    master === undefined ? '' : ` master ${master}`,
    alias === undefined ? '' : ` alias ${alias}`,
    up === false ? ' down' : ' up',
  ]
  return words.join('')
}

function details(link: LinkObject): string {
  switch (link.type) {
    case 'veth':
      return ` peer name ${link.peer.name}${link.peer.at === link.at ? '' : ` netns ${link.peer.at}`}`
    case 'vxlan':
      return ` id ${link.vxlan.id}`
    case 'vlan':
      return ` id ${link.id}`
    case 'vrf':
      return ` table ${link.table}`
    case 'macvlan':
    case 'ipvlan':
      return link.mode === undefined ? '' : ` mode ${link.mode}`
    default:
      return ''
  }
}
