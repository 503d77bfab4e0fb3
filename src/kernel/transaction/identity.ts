import type { KernelObject, RouteObject } from '../../contracts/kernel-objects.js'
import { prefixBytes, prefixText } from '../netlink/ip.js'

const MAIN_TABLE = 254
const ALL_ZERO_MAC = '00:00:00:00:00:00'

/** Two objects with the same identity are the same object of the kernel, however their other fields differ. */
export function identity(object: KernelObject): string {
  return JSON.stringify([object.kind, 'at' in object ? object.at : '', ...identifying(object)])
}

function identifying(object: KernelObject): unknown[] {
  switch (object.kind) {
    case 'namespace':
      return []
    case 'link':
      return [object.name]
    case 'address':
      return [object.link, prefix(object.address)]
    case 'route':
      return [object.table ?? MAIN_TABLE, destination(object), object.metric ?? 0]
    case 'neighbour':
      return [object.link, prefix(object.address), object.proxy ?? false]
    case 'fdb':
      return [object.link, object.table ?? 'self', object.mac, object.vlan ?? 0, object.mac === ALL_ZERO_MAC ? object.destination : '']
    case 'bridge-port':
    case 'features':
      return [object.link]
    case 'bridge-vlan':
      return [object.link, object.id, object.self ?? false]
    case 'sysctl':
      return [object.path]
    case 'xfrm-state':
      return [prefix(object.destination), object.spi]
    case 'qdisc':
      return [object.link, object.parent ?? 'root']
    case 'mount':
      return [object.target]
    default:
      return [sorted(object)]
  }
}

function destination({ destination: to, family, gateway }: RouteObject): string {
  if (to !== 'default') return prefix(to)
  return family === 6 || gateway?.includes(':') ? '::/0' : '0.0.0.0/0'
}

const prefix = (text: string): string => prefixText(prefixBytes(text))

function sorted(value: object): [string, unknown][] {
  return Object.entries(value)
    .filter(([, field]) => field !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
}
