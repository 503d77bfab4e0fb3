import { randomBytes } from 'node:crypto'
import { constants } from 'node:os'
import { CnmError } from '../../contracts/errors.js'
import type { LinkObject, NamespaceObject, Place } from '../../contracts/kernel-objects.js'
import { isMissing, kernelError } from '../errors.js'
import { NETLINK_ROUTE } from '../handler.js'
import { describe } from '../handlers.js'
import { bindNamespace, checkDroppable, dropNamespace, dropStaleFile } from '../namespace-files.js'
import { renameLink } from './link-messages.js'
import { ends, type NamesMade } from './names.js'
import { askLinks } from './removal.js'
import type { Session, Site } from './session.js'
import { mayBeMissing, type Step } from './step.js'

const { ENODEV } = constants.errno

export interface LinkRemoval {
  step: Step
  site: Site
  index: number
  object: LinkObject
}

export interface NamespaceRemoval {
  step: Step
  path: Place
}

/**
 * Links and namespaces that go when everything else has succeeded. A name that the same transaction gives to something
 * new is freed at once, in a way that can be undone: the old link gets another name, the old namespace none.
 */
export class Removals {
  links: LinkRemoval[] = []
  namespaces: NamespaceRemoval[] = []

  constructor(
    private readonly session: Session,
    private readonly names: NamesMade,
  ) {}

  get count(): number {
    return this.links.length + this.namespaces.length
  }

  /** @throws CnmError ERR_CNM_LINK_NOT_FOUND, ERR_CNM_NAMESPACE_NOT_FOUND */
  deferLink(step: Step, object: LinkObject): void {
    // Of a pair, the end at home is taken: there it can go together with others.
    const [end] = ends(object).sort((a, b) => Number(b.at === 'host') - Number(a.at === 'host'))
    const site = this.session.site(end!.at)
    const index = this.session.links(site).index(end!.name)
    for (const { at, name } of ends(object)) if (this.names.link(at, name, step.index)) this.#renameAway(step, at, name)
    this.links.push({ step, site, index, object })
  }

  /** A link that cannot become what it is to be replaced by makes room for it, and goes in the end. */
  displace(step: Step, before: LinkObject, by: LinkObject): void {
    const wanted = ends(by)
    const site = this.session.site(before.at)
    const index = this.session.links(site).index(before.name)
    for (const { at, name } of ends(before)) {
      if (wanted.some((end) => end.at === at && end.name === name)) this.#renameAway(step, at, name)
    }
    this.links.push({ step, site, index, object: before })
  }

  deferNamespace(step: Step, { at }: NamespaceObject): void {
    if (mayBeMissing(step.operation) && dropStaleFile(at)) return
    checkDroppable(at)
    if (!this.names.namespace(at, step.index)) {
      this.namespaces.push({ step, path: at })
      return
    }
    const { namespace } = this.session.site(at)
    dropNamespace(at)
    this.session.forgetPlace(at)
    step.applied = true
    const run = (): void => bindNamespace(at, { source: `/proc/self/fd/${namespace.fd}` })
    step.undo = [{ words: `ip netns attach ${at}`, way: 'restore', run }]
  }

  /** The last look before the point of no return. @throws CnmError when a link is gone, or is not what it was taken for */
  check(): void {
    for (const [site, removals] of bySite(this.links)) {
      const found = askLinks(
        this.session.routeSocket(site),
        removals.map(({ index }) => index),
      )
      for (const removal of removals) this.#checkLink(removal, found.get(removal.index)?.kind, found.has(removal.index))
    }
  }

  #checkLink({ step, object }: LinkRemoval, kind: string | undefined, exists: boolean): void {
    const details = { operation: describe('delete', object), operationIndex: step.index }
    if (!exists) {
      if (!mayBeMissing(step.operation)) throw kernelError({ ...details, errno: ENODEV, subject: 'link' })
      this.links = this.links.filter((removal) => removal.step !== step)
    } else if (kind === undefined) {
      throw new CnmError('ERR_CNM_NOT_SUPPORTED', `${details.operation}: this link cannot be deleted`, details)
    } else if (kind !== object.type) {
      throw new CnmError('ERR_CNM_LINK_NOT_FOUND', `${details.operation}: this link is of type ${kind}, not ${object.type}`, details)
    }
  }

  #renameAway(step: Step, at: Place, name: string): void {
    const { session } = this
    let index: number
    try {
      index = session.linkIndex(at, name)
    } catch (error) {
      if (isMissing(error)) return
      throw error
    }
    const aside = `old-${randomBytes(5).toString('hex')}`
    const links = session.links(session.site(at))
    renameLink(session.writer(at, NETLINK_ROUTE), index, aside)
    links.rename(name, aside)
    const run = (): void => {
      renameLink(session.writer(at, NETLINK_ROUTE), index, name)
      links.rename(aside, name)
    }
    step.undo.push({ words: `ip link set ${aside} name ${name}`, way: 'restore', run })
  }
}

export function bySite<T extends { site: Site }>(entries: readonly T[]): Map<Site, T[]> {
  const groups = new Map<Site, T[]>()
  for (const entry of entries) {
    const group = groups.get(entry.site)
    if (group === undefined) groups.set(entry.site, [entry])
    else group.push(entry)
  }
  return groups
}
