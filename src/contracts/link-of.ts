import type { KernelObject } from './kernel-objects.js'

/** The link that an object lives on and goes with, if any. */
export function linkOf(object: KernelObject): string | undefined {
  switch (object.kind) {
    case 'address':
    case 'neighbour':
    case 'fdb':
    case 'bridge-port':
    case 'bridge-vlan':
    case 'qdisc':
    case 'features':
      return object.link
    case 'route':
      return object.nextHops === undefined ? object.link : undefined
    case 'sysctl':
      return /^net\/ipv[46]\/(?:conf|neigh)\/([^/]+)\//.exec(object.path)?.[1]
    default:
      return undefined
  }
}
