import { CnmError } from '../contracts/errors.js'
import type { KernelObject, Place } from '../contracts/kernel-objects.js'
import { linkOf } from '../contracts/link-of.js'
import type { Deviation } from '../engine/check.js'
import type { Engine } from '../engine/engine.js'
import { observeDeviations } from '../engine/observe-deviations.js'

/** What could not be put right of one owner, and why. */
export interface Unsettled {
  owner: string
  deviations: readonly Deviation[]
  error: unknown
}

/** Puts all right in one transaction, or nothing. */
export async function settleWhole(engine: Engine, deviations: readonly Deviation[]): Promise<Unsettled[]> {
  try {
    await engine.settle(observeDeviations(engine, deviations))
    return []
  } catch (error) {
    return [{ owner: deviations[0]!.owners[0]!, deviations, error }]
  }
}

/** Puts right what can be, owner by owner, where the kernel refuses the whole. Nothing goes onto a link of somebody else's. */
export async function settleByOwner(engine: Engine, deviations: readonly Deviation[]): Promise<Unsettled[]> {
  const foreign = new Set(deviations.filter(({ problem }) => problem === 'foreign').map(({ wanted }) => linkNames(wanted)[0]!))
  const unsettled: Unsettled[] = []
  for (const [owner, group] of byOwner(deviations)) {
    const objects = observeDeviations(engine, group)
    try {
      refuseForeign(group, foreign)
      await engine.settle(objects)
    } catch (error) {
      unsettled.push({ owner, deviations: group, error })
    }
  }
  return unsettled
}

export const placesOf = (deviations: readonly Deviation[]): Place[] =>
  deviations.flatMap(({ wanted }) => ('at' in wanted ? [wanted.at] : []))

/** Each needs what comes before: a sandbox's routes lead over interfaces of its endpoints. */
function byOwner(deviations: readonly Deviation[]): [string, Deviation[]][] {
  const groups = new Map<string, { owner: string; rank: number; group: Deviation[] }>()
  for (const deviation of deviations) {
    const owner = deviation.owners[0]!
    const rank = rankOf(owner, deviation.wanted)
    const key = `${rank} ${owner}`
    const known = groups.get(key) ?? { owner, rank, group: [] }
    known.group.push(deviation)
    groups.set(key, known)
  }
  return [...groups.values()].sort((a, b) => a.rank - b.rank).map(({ owner, group }) => [owner, group])
}

const KINDS = ['network', 'sandbox', 'endpoint']
const LAST = KINDS.length

const rankOf = (owner: string, { kind }: KernelObject): number => {
  const rank = KINDS.indexOf(owner.split('/')[0]!)
  return kind === 'route' && KINDS[rank] === 'sandbox' ? LAST : rank
}

/** @throws CnmError ERR_CNM_LINK_EXISTS */
function refuseForeign(deviations: readonly Deviation[], foreign: ReadonlySet<string>): void {
  for (const { wanted } of deviations) {
    const taken = linkNames(wanted).find((name) => foreign.has(name))
    if (taken === undefined) continue
    const [at, name] = taken.split(' ')
    throw new CnmError('ERR_CNM_LINK_EXISTS', `link ${name} (${at}) is somebody else's: it does not carry the alias of this instance`, {
      object: `link ${name}`,
    })
  }
}

/** The links that an object is, is on, or is attached to. */
function linkNames(object: KernelObject): string[] {
  if (object.kind === 'mount') return []
  if (object.kind !== 'link') return [linkOf(object)].flatMap((name) => (name === undefined ? [] : [`${object.at} ${name}`]))
  const names = [`${object.at} ${object.name}`]
  if (object.master !== undefined) names.push(`${object.at} ${object.master}`)
  if ('parent' in object && object.parent !== undefined) names.push(`${object.parent.at ?? object.at} ${object.parent.name}`)
  return names
}
