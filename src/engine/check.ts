import type { FirewallObject } from '../contracts/firewall.js'
import type { KernelObject, Place } from '../contracts/kernel-objects.js'
import { redactedKey } from '../contracts/aead-key.js'
import { linkOf } from '../contracts/link-of.js'
import { differingFields } from './differing-fields.js'
import type { Engine } from './engine.js'
import { identity, type Identity } from './identity.js'
import { readRequests, type KernelReader } from './read-requests.js'

/** One object that is not in the kernel as it should be. */
export interface Deviation {
  object: Identity
  owners: string[]
  /** `missing`: not there at all. `foreign`: a link of somebody else's has the name; it is not touched. */
  problem: 'missing' | 'different' | 'foreign'
  wanted: KernelObject
  actual?: KernelObject
  /** What differs. */
  fields?: string[]
}

/** Compares what is wanted with what the kernel holds. */
export async function check(engine: Engine, kernel: KernelReader): Promise<Deviation[]> {
  return (await compare(engine, kernel)).deviations
}

export interface CompareOptions {
  /** Look only at what this is true of, in these namespaces. Default: at everything. */
  only?: ReadonlyMap<Place, (object: KernelObject) => boolean>
  /** What may be in the kernel without being wanted, and whose links it may be on. */
  leftovers?: readonly KernelObject[]
}

export interface Comparison {
  deviations: Deviation[]
  /** Leftovers that are there, in the words in which they were described. */
  left: KernelObject[]
  /** Namespaces that are not there. */
  gone: Place[]
}

/** Objects between two turns of the event loop. */
const AT_ONCE = 500

/** Like {@link check}; of a part, or looking for leftovers too. */
export async function compare(engine: Engine, kernel: KernelReader, options: CompareOptions = {}): Promise<Comparison> {
  const wanted = select(engine, options.only)
  const unwanted = (options.leftovers ?? []).filter((object) => !engine.wanted.has(identity(object)))
  const requests = readRequests([...wanted.values(), ...unwanted])
  const dumps = await kernel.read(requests)
  const actual = new Map<Identity, KernelObject>()
  for (const dump of dumps) for (const object of dump ?? []) actual.set(identity(object), object)
  // Compiles rules: loaded only when something is compared.
  const { normalFirewall } = await import('../kernel/nftables/normal-objects.js')
  const normal = (object: KernelObject): KernelObject => (isFirewall(object) ? normalFirewall(object) : withoutKey(object))
  const deviations: Deviation[] = []
  let count = 0
  for (const [id, object] of wanted) {
    if (++count % AT_ONCE === 0) await new Promise(setImmediate)
    if (object.kind === 'mount') continue
    const found = actual.get(id)
    const fields = found === undefined ? undefined : differingFields(normal(object), found)
    if (fields?.length === 0) continue
    const problem = found === undefined ? 'missing' : isForeign(object, found, engine.instance) ? 'foreign' : 'different'
    deviations.push({ object: id, owners: engine.wanted.owners(id), problem, wanted: object, actual: found, fields })
  }
  const gone = requests.flatMap(({ at }, index) => (dumps[index] === undefined ? [at] : []))
  return { deviations, left: present(unwanted, actual, engine.instance), gone }
}

function select({ wanted }: Engine, only: CompareOptions['only']): Map<Identity, KernelObject> {
  const selected = new Map<Identity, KernelObject>()
  if (only === undefined) for (const id of wanted.identities()) selected.set(id, wanted.object(id)!)
  for (const [place, matches] of only ?? []) {
    for (const id of wanted.at(place)) {
      const object = wanted.object(id)!
      if (matches(object)) selected.set(id, object)
    }
  }
  return selected
}

/** A link of that name which is not ours is not a leftover, nor is anything on it. */
function present(leftovers: readonly KernelObject[], actual: ReadonlyMap<Identity, KernelObject>, instance: string): KernelObject[] {
  const foreign = new Set<string>()
  for (const object of leftovers) {
    if (object.kind === 'link' && isForeign(object, actual.get(identity(object)), instance)) foreign.add(`${object.at} ${object.name}`)
  }
  return leftovers.filter((object) => {
    if (object.kind === 'mount') return true
    const link = object.kind === 'link' ? object.name : linkOf(object)
    return actual.has(identity(object)) && (link === undefined || !foreign.has(`${object.at} ${link}`))
  })
}

/**
 * A link without our alias may be ours all the same: one that is made from one namespace into another has none for a moment,
 * in which the process may die, and people give aliases too. It is known by its type and its MAC; inside a sandbox its type
 * will do, where there is no alias.
 */
function isForeign(wanted: KernelObject, found: KernelObject | undefined, instance: string): boolean {
  if (wanted.kind !== 'link' || found?.kind !== 'link' || wanted.type === 'existing') return false
  if (found.alias?.startsWith(`libcnm:${instance}:`) || (found.alias !== undefined && found.alias === wanted.alias)) return false
  if (found.type !== wanted.type || found.alias?.startsWith('libcnm:')) return true
  return wanted.mac === undefined ? wanted.at === 'host' || found.alias !== undefined : found.mac !== wanted.mac
}

/** A listing has the digest of a key. */
const withoutKey = (object: KernelObject): KernelObject =>
  object.kind === 'xfrm-state' ? { ...object, aead: { ...object.aead, key: redactedKey(object.aead.key) } } : object

const isFirewall = (object: KernelObject): object is FirewallObject => object.kind.startsWith('nft-')
