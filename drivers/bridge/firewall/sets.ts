import type { FirewallElement, FirewallSet, KeyPart, Scalar, SetShape, Verdict } from '../../../src/contracts/index.js'

/**
 * The sets and maps of the table. Networks, endpoints and ports are elements of these; no rule is ever added for one.
 * Names end in the address family where there is one set for each.
 */

export type Family = 4 | 6
export const FAMILIES = [4, 6] as const

const ADDRESS = { 4: 'ipv4_addr', 6: 'ipv6_addr' } as const

/** Bridges that came with their networks: everything on them is ours. */
export const BRIDGES: SetShape = { name: 'bridges', key: ['ifname'] }
/** Bridges of all networks, adopted ones too. */
export const GUARDED: SetShape = { name: 'guarded', key: ['ifname'] }

/** What comes from a bridge and goes to the same: accepted, or where endpoints must not reach one another, published ports only. */
export const WITHIN: SetShape = { name: 'within', key: ['ifname', 'ifname'], data: 'verdict' }
/** What leaves a bridge, by family; without an element it goes on. */
export const FROM: SetShape = { name: 'from', key: ['nf_proto', 'ifname'], data: 'verdict' }
/** What goes to a bridge, by family: the chain of the network's gateway mode. */
export const TO: SetShape = { name: 'to', key: ['nf_proto', 'ifname'], data: 'verdict' }

export const ISOLATED: SetShape = { name: 'isolated', key: ['ifname'] }
export const STRICT: SetShape = { name: 'strict', key: ['ifname'] }
/** Other networks may reach every port. */
export const OPEN: SetShape = { name: 'open', key: ['ifname'] }
/** Input interface and bridge: may reach every port. */
export const TRUSTED: SetShape = { name: 'trusted', key: ['ifname', 'ifname'] }
/** Bridges whose networks accept packets by their mark: the chain for that mask. */
export const MARKED: SetShape = { name: 'marked', key: ['ifname'], data: 'verdict' }

export type MarkSet = SetShape
/** Bridge and mark, for one mask; not all networks use the same, and most use none. */
export const marks = (mask: number): MarkSet => ({ name: `marks-${mask.toString(16)}`, key: ['ifname', 'mark'] })

/** On adopted bridges, only the addresses of endpoints are ours. */
export const members = (family: Family): SetShape => ({ name: `members${family}`, key: [ADDRESS[family]], data: 'verdict' })
export const confined = (family: Family): SetShape => ({ name: `confined${family}`, key: [ADDRESS[family]] })

/** Published without translation (gateway mode routed): address, protocol and port of the endpoint. */
export const routedPorts = (family: Family): SetShape => ({
  name: `routed-ports${family}`,
  key: [ADDRESS[family], 'inet_proto', 'inet_service'],
})
export const routedRanges = (family: Family): SetShape => ({ ...routedPorts(family), name: `routed-ranges${family}`, flags: ['interval'] })

/** Published ports: host address, protocol and port to the endpoint's address and port. */
export const ports = (family: Family): SetShape => ({
  name: `ports${family}`,
  key: [ADDRESS[family], 'inet_proto', 'inet_service'],
  data: [ADDRESS[family], 'inet_service'],
})
/** Ranges of ports that keep their numbers. */
export const ranges = (family: Family): SetShape => ({
  name: `ranges${family}`,
  key: [ADDRESS[family], 'inet_proto', 'inet_service'],
  data: [ADDRESS[family]],
  flags: ['interval'],
})
/** The same on every address of the host. */
export const anyPorts = (family: Family): SetShape => ({
  name: `any-ports${family}`,
  key: ['inet_proto', 'inet_service'],
  data: [ADDRESS[family], 'inet_service'],
})
export const anyRanges = (family: Family): SetShape => ({
  name: `any-ranges${family}`,
  key: ['inet_proto', 'inet_service'],
  data: [ADDRESS[family]],
  flags: ['interval'],
})

/** Bridge and source: a translated packet from there needs the bridge's address, or the answer would take a shorter way. */
export const hairpin = (family: Family): SetShape => ({ name: `hairpin${family}`, key: ['ifname', ADDRESS[family]], flags: ['interval'] })
/** Sources that leave under the address of the interface they leave through. */
export const masqueraded = (family: Family): SetShape => ({ name: `masqueraded${family}`, key: [ADDRESS[family]], flags: ['interval'] })
/** Sources that leave under an address of the user's choice. */
export const translated = (family: Family): SetShape => ({
  name: `translated${family}`,
  key: [ADDRESS[family]],
  data: [ADDRESS[family]],
  flags: ['interval'],
})

/** For users to fill: sources that never get through, and sources that may reach every port. */
export const userDenied = (family: Family): SetShape => ({ name: `user-denied${family}`, key: [ADDRESS[family]], flags: ['interval'] })
export const userTrusted = (family: Family): SetShape => ({ name: `user-trusted${family}`, key: [ADDRESS[family]], flags: ['interval'] })

const SINGLE = [BRIDGES, GUARDED, WITHIN, FROM, TO, ISOLATED, STRICT, OPEN, TRUSTED, MARKED]
const PER_FAMILY = [
  ...[members, confined, routedPorts, routedRanges, ports, ranges, anyPorts, anyRanges],
  ...[hairpin, masqueraded, translated, userDenied, userTrusted],
]

/** Every set of the table; the same for all networks, so that it exists once. */
export function allSets(table: string): FirewallSet[] {
  const shapes = [...SINGLE, ...PER_FAMILY.flatMap((shape) => FAMILIES.map(shape))]
  return shapes.map((shape) => ({ kind: 'nft-set', at: 'host', family: 'inet', table, ...shape }))
}

/** Makes elements that carry their owner as a comment. */
export function elementsOf(table: string, owner: string) {
  const made = (set: SetShape, key: KeyPart[], more: { data?: Scalar[]; verdict?: Verdict } = {}): FirewallElement => ({
    kind: 'nft-element',
    at: 'host',
    family: 'inet',
    table,
    set,
    key,
    ...more,
    comment: owner,
  })
  return made
}

export type ElementMaker = ReturnType<typeof elementsOf>
