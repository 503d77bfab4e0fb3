import type { KernelObject, KernelObjectKind } from '../contracts/kernel-objects.js'
import { canonical } from './canonical.js'

/** Fields that the kernel does not tell, or tells in another way. */
const UNCOMPARED: Readonly<Partial<Record<KernelObjectKind, readonly string[]>>> = {
  link: ['peer', 'wireguard', 'underlay', 'parent'],
  'nft-element': ['set'],
  sysctl: ['after'],
  'bridge-vlan': ['alone'],
  route: ['family'],
}

/** What a dump leaves out because it is usual. */
const USUAL: Readonly<Partial<Record<KernelObjectKind, Readonly<Record<string, unknown>>>>> = {
  link: { up: true, arp: true, flag: 'bridge' },
  address: { scope: 'global' },
  route: { table: 254, type: 'unicast', metric: 0 },
  neighbour: { state: 'permanent' },
  fdb: { table: 'self', state: 'permanent' },
  'bridge-port': { learning: true, flooding: true, multicastFlooding: true, broadcastFlooding: true },
  'policy-rule': { table: 254, action: 'lookup' },
}

/** Names of the wanted fields that the actual object does not have in the same value. */
export function differingFields(wanted: KernelObject, actual: KernelObject): string[] {
  const skipped = UNCOMPARED[wanted.kind] ?? []
  // A link of ours is up unless it is said otherwise.
  const fields = wanted.kind === 'link' && wanted.type !== 'existing' ? { up: true, ...wanted } : wanted
  return Object.entries(fields).flatMap(([field, value]: [string, unknown]) => {
    if (value === undefined || skipped.includes(field)) return []
    // A link that somebody else made is described by what is to be set on it alone.
    if (field === 'type' && value === 'existing') return []
    const found = (actual as unknown as Record<string, unknown>)[field] ?? USUAL[wanted.kind]?.[field]
    return includes(found, value) ? [] : [field]
  })
}

/** Whether `actual` says at least what `wanted` says. */
function includes(actual: unknown, wanted: unknown): boolean {
  if (wanted === undefined || wanted === actual) return true
  if (typeof wanted !== 'object' || wanted === null) return wanted === false && actual === undefined
  if (Array.isArray(wanted)) return canonical(wanted) === canonical(actual)
  if (typeof actual !== 'object' || actual === null) return false
  return Object.entries(wanted).every(([field, value]) => includes((actual as Record<string, unknown>)[field], value))
}
