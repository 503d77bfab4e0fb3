import type { FirewallObject } from '../contracts/firewall.js'
import type { KernelObject, KernelObjectKind, Place } from '../contracts/kernel-objects.js'
import { canonical } from './canonical.js'
import type { Engine } from './engine.js'
import { identity, linkOf, type Identity } from './identity.js'

/** One object that is not in the kernel as it should be. */
export interface Deviation {
  object: Identity
  owners: string[]
  /** `missing`: not there at all. */
  problem: 'missing' | 'different'
  wanted: KernelObject
  actual?: KernelObject
  /** What differs. */
  fields?: string[]
}

/** Reads the kernel. `undefined` for a namespace that is gone. */
export interface KernelReader {
  read(requests: readonly ReadRequest[]): Promise<(KernelObject[] | undefined)[]>
}

export interface ReadRequest {
  at: Place
  kinds: KernelObjectKind[]
  /** Sysctls to read, by path: there is no list of them. */
  sysctls: string[]
  /** Only these nftables tables, `inet cnm`. */
  tables: string[]
}

/** Compares what is wanted with what the kernel holds. */
export async function check(engine: Engine, kernel: KernelReader): Promise<Deviation[]> {
  return (await compare(engine, kernel)).deviations
}

/** What may be in the kernel without being wanted, and whose links it may be on. */
export interface Leftovers {
  leftovers: readonly KernelObject[]
  instance: string
}

export interface Comparison {
  deviations: Deviation[]
  /** Leftovers that are there, in the words in which they were described. */
  left: KernelObject[]
}

/** Like {@link check}; looks for leftovers too. */
export async function compare(engine: Engine, kernel: KernelReader, search?: Leftovers): Promise<Comparison> {
  const wanted = new Map<Identity, KernelObject>()
  for (const id of engine.wanted.identities()) wanted.set(id, engine.wanted.object(id)!)
  const unwanted = (search?.leftovers ?? []).filter((object) => !wanted.has(identity(object)))
  const dumps = await kernel.read(readRequests([...wanted.values(), ...unwanted]))
  const actual = new Map<Identity, KernelObject>()
  for (const dump of dumps) for (const object of dump ?? []) actual.set(identity(object), object)
  // Compiles rules: loaded only when something is compared.
  const { normalFirewall } = await import('../kernel/nftables/normal-objects.js')
  const normal = (object: KernelObject): KernelObject => (isFirewall(object) ? normalFirewall(object) : object)
  const deviations: Deviation[] = []
  for (const [id, object] of wanted) {
    if (object.kind === 'mount') continue
    const found = actual.get(id)
    const fields = found === undefined ? undefined : differingFields(normal(object), found)
    if (fields?.length === 0) continue
    const problem = found === undefined ? 'missing' : 'different'
    deviations.push({ object: id, owners: engine.wanted.owners(id), problem, wanted: object, actual: found, fields })
  }
  return { deviations, left: search === undefined ? [] : present(unwanted, actual, search.instance) }
}

/** A link of that name which is not ours is not a leftover, nor is anything on it. */
function present(leftovers: readonly KernelObject[], actual: ReadonlyMap<Identity, KernelObject>, instance: string): KernelObject[] {
  const foreign = new Set<string>()
  for (const object of leftovers) {
    if (object.kind !== 'link' || object.type === 'existing') continue
    const found = actual.get(identity(object))
    if (found?.kind === 'link' && found.alias?.startsWith(`libcnm:${instance}:`) !== true) foreign.add(`${object.at} ${object.name}`)
  }
  return leftovers.filter((object) => {
    if (object.kind === 'mount') return true
    const link = object.kind === 'link' ? object.name : linkOf(object)
    return actual.has(identity(object)) && (link === undefined || !foreign.has(`${object.at} ${link}`))
  })
}

const isFirewall = (object: KernelObject): object is FirewallObject => object.kind.startsWith('nft-')

/** The wanted object as it is now: what a change has to start from. */
export function asFound({ wanted, actual, fields = [] }: Deviation): KernelObject | undefined {
  if (actual === undefined || fields.includes('type')) return actual
  const found = actual as unknown as Record<string, unknown>
  return { ...wanted, ...Object.fromEntries(fields.map((field) => [field, found[field]])) }
}

/** One request per namespace, for the kinds that are wanted there. */
function readRequests(objects: Iterable<KernelObject>): ReadRequest[] {
  const requests = new Map<Place, { kinds: Set<KernelObjectKind>; sysctls: string[]; tables: Set<string> }>()
  for (const object of objects) {
    if (object.kind === 'mount') continue
    const request = requests.get(object.at) ?? { kinds: new Set(), sysctls: [], tables: new Set() }
    requests.set(object.at, request)
    if (object.kind === 'sysctl') request.sysctls.push(object.path)
    else request.kinds.add(object.kind)
    if (object.kind.startsWith('nft-') && 'family' in object) {
      request.tables.add(`${object.family} ${'table' in object ? object.table : 'name' in object ? object.name : ''}`)
    }
  }
  return [...requests].map(([at, { kinds, sysctls, tables }]) => ({ at, kinds: [...kinds], sysctls, tables: [...tables] }))
}

/** Fields that the kernel does not tell, or tells in another way. */
const UNCOMPARED: Readonly<Partial<Record<KernelObjectKind, readonly string[]>>> = {
  link: ['peer', 'wireguard', 'underlay', 'parent'],
  'nft-element': ['set'],
  'xfrm-state': ['aead'],
  sysctl: ['after'],
  'bridge-vlan': ['alone'],
  route: ['family'],
}

/** What a dump leaves out because it is usual. */
const USUAL: Readonly<Partial<Record<KernelObjectKind, Readonly<Record<string, unknown>>>>> = {
  link: { up: true, arp: true },
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
  return Object.entries(wanted).flatMap(([field, value]) => {
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
