import type { LinkObject } from '../../../contracts/kernel-objects.js'
import { bridge } from './bridge.js'
import { ipvlan } from './ipvlan.js'
import type { LinkKind } from './kind.js'
import { macvlan } from './macvlan.js'
import { SETTING_NAMES } from './settings.js'
import { veth } from './veth.js'
import { vlan } from './vlan.js'
import { vrf } from './vrf.js'
import { vxlan } from './vxlan.js'
import { invalid, refuseUnknown } from '../input.js'

type LinkType = LinkObject['type']

const KINDS: Readonly<Record<LinkType, LinkKind>> = {
  bridge: bridge,
  veth: veth,
  vxlan: vxlan,
  macvlan: macvlan,
  ipvlan: ipvlan,
  vlan: vlan,
  vrf: vrf,
  dummy: { options: [] },
  ifb: { options: [] },
  // Keys and peers are generic netlink's, not rtnetlink's.
  wireguard: { options: ['wireguard'] },
  existing: { options: [] },
}

const OPTIONS = Object.fromEntries(Object.entries(KINDS).map(([type, kind]) => [type, new Set([...SETTING_NAMES, ...kind.options])]))

/** The kernel sets these links up without ARP. */
const WITHOUT_ARP: ReadonlySet<string> = new Set<LinkType>(['dummy', 'ifb', 'wireguard', 'vrf'])
const DEFAULT_QUEUE = 1000
const IFB_QUEUE = 32

/** @throws CnmError ERR_CNM_INVALID_ARGUMENT, ERR_CNM_UNKNOWN_OPTION */
export function kindOf(link: LinkObject): LinkKind {
  const kind = Object.hasOwn(KINDS, link.type) ? KINDS[link.type] : undefined
  if (kind === undefined) throw invalid('type', `${JSON.stringify(link.type)} is none of ${Object.keys(KINDS).join(', ')}`)
  refuseUnknown(link, OPTIONS[link.type]!, `a link of type ${link.type}`)
  return kind
}

/** The kind that a link of the kernel's has, unless it is one that libcnm does not make. */
export function knownKind(name: string | undefined): { type: LinkType; kind: LinkKind } | undefined {
  if (name === undefined || name === 'existing' || !Object.hasOwn(KINDS, name)) return undefined
  return { type: name as LinkType, kind: KINDS[name as LinkType] }
}

export const usesArp = (type: LinkType): boolean => !WITHOUT_ARP.has(type)

/** Whether ARP is the owner's to switch: an ipvlan has it by its mode. */
export const choosesArp = (type: LinkType): boolean => type !== 'ipvlan'

export const usualQueue = (type: LinkType): number => (type === 'ifb' ? IFB_QUEUE : DEFAULT_QUEUE)

/** Types whose MAC is not the link's own to choose. */
export const hasOwnMac = (type: LinkType): boolean => type !== 'ipvlan' && type !== 'wireguard'
