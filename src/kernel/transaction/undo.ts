import { constants } from 'node:os'
import type { CnmError } from '../../contracts/errors.js'
import type { LinkObject } from '../../contracts/kernel-objects.js'
import { asCnmError, errnoOf, isMissing, kernelError } from '../errors.js'
import { removeLinks } from './removal.js'
import type { Session, Site } from './session.js'

const { EEXIST } = constants.errno

/** Takes back one thing that was done. */
export interface UndoStep {
  /** For error messages: what is attempted. */
  words: string
  /** `remove`: it may be gone already. `restore`: it may be there already. */
  way: 'remove' | 'restore'
  /** Instead of {@link run}: a link to be removed, with others at once. */
  link?: LinkObject
  run?(): void
}

/**
 * Carries out steps in the order given, and goes on after one that fails.
 * @returns what could not be undone
 */
export function undo(steps: readonly UndoStep[], session: Session): CnmError[] {
  const failures: CnmError[] = []
  const fail = (step: UndoStep, error: unknown): void => {
    if (!isSettled(step, error)) failures.push(asCnmError(error, `undo: ${step.words}`))
  }
  session.outbox.judge = (owner, { errno, text }) => {
    const step = steps[owner]
    if (errno !== 0 && step !== undefined) fail(step, kernelError({ errno, text, operation: `undo: ${step.words}` }))
    return undefined
  }
  let links: LinkObject[] = []
  const removeGathered = (): void => {
    failures.push(...removeAll(links, session))
    links = []
  }
  steps.forEach((step, i) => {
    session.outbox.begin(i)
    try {
      // What follows may need the name, so links that were only gathered go before anything is restored.
      if (step.way === 'restore' && links.length > 0) removeGathered()
      if (step.link === undefined) step.run?.()
      else links.push(step.link)
    } catch (error) {
      session.outbox.takeBack()
      fail(step, error)
    }
    session.outbox.end()
  })
  settle(session, failures)
  removeGathered()
  return failures
}

/** The batch as a whole can fail too, when no single step is to blame. */
function settle(session: Session, failures: CnmError[]): void {
  try {
    session.flush()
  } catch (error) {
    failures.push(asCnmError(error, 'undo'))
  }
}

function isSettled({ way }: UndoStep, error: unknown): boolean {
  return way === 'remove' ? isMissing(error) : errnoOf(error) === EEXIST
}

function removeAll(links: readonly LinkObject[], session: Session): CnmError[] {
  const failures: CnmError[] = []
  settle(session, failures)
  const bySite = new Map<Site, { link: LinkObject; index: number }[]>()
  for (const link of links) {
    try {
      const site = session.site(link.at)
      const entry = { link, index: session.links(site).index(link.name) }
      bySite.set(site, [...(bySite.get(site) ?? []), entry])
    } catch (error) {
      if (!isMissing(error)) failures.push(asCnmError(error, `undo: ip link delete ${link.name}`))
    }
  }
  for (const [site, entries] of bySite) {
    const refused = removeLinks(
      session.routeSocket(site),
      entries.map(({ index }) => index),
    )
    for (const { link, index } of entries) {
      const refusal = refused.get(index)
      if (refusal !== undefined) failures.push(kernelError({ ...refusal, operation: `undo: ip link delete ${link.name}`, subject: 'link' }))
      session.forgetLink(link.at, link.name)
    }
  }
  return failures
}
